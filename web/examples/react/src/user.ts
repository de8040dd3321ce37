// Anybody who comes: a name in the address (?name=Guang), or a made-up one.
const id = sessionStorage.user ??= crypto.getRandomValues(new Uint32Array(1))[0];
export const name = new URLSearchParams(location.search).get("name") ?? `Guest ${id % 1000}`;

/** In production, an endpoint of your application, which knows its users. This one is the local run's. */
export async function token(): Promise<string> {
  const body = JSON.stringify({ userId: Number(id), nickName: name, rooms: "*" });
  const response = await fetch("/local/token", { method: "POST", body });
  return (await response.json()).token;
}
