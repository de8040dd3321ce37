// @ts-check
/** Where the function posts to, and where it does not: whoever subscribes names the address. */
import { ENDPOINT_CHARS_MAX } from "./limits.js";

/**
 * Whether an endpoint is of one of these hosts. `*.` before a name stands for any name below it.
 * @param {string} endpoint @param {string} services Hosts, with a port unless it is 443, with commas between them.
 */
export function isTaken(endpoint, services) {
  if (endpoint.length > ENDPOINT_CHARS_MAX || !URL.canParse(endpoint)) return false;
  const { protocol, host, username, password } = new URL(endpoint);
  if (protocol !== "https:" || username || password) return false;
  return services.split(",").some((service) => (service.startsWith("*.") ? host.endsWith(service.slice(1)) : host === service));
}
