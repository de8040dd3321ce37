"""An unmodified client of Socket.IO in Python, against a run that is up: client.py HTTP-ADDRESS STAGE."""

import asyncio
import json
import sys
import urllib.request

import socketio

PATIENCE = 30
address, stage = sys.argv[1:]


def token(user):
    claims = json.dumps({"userId": user, "rooms": "*"}).encode()
    with urllib.request.urlopen(f"{address}/local/token", claims) as answer:
        return json.load(answer)["token"]


async def connected(auth):
    client = socketio.AsyncClient(reconnection_delay=0.1)
    heard = asyncio.Queue()
    for event in ["message", "leaveRoom", "exception", "connect", "disconnect"]:
        client.on(event, lambda *data, event=event: heard.put_nowait((event, *data)))
    await client.connect(address, transports=["websocket"], socketio_path=stage, auth=auth, wait_timeout=PATIENCE)
    return client, heard


async def next_of(heard, wanted):
    async with asyncio.timeout(PATIENCE):
        while True:
            event, *data = await heard.get()
            if event == wanted:
                return data[0] if data else None


async def say(client, action, **fields):
    return await client.call(action, fields, timeout=PATIENCE)


async def talks():
    (one, one_hears), (other, other_hears) = await connected({"token": token(1)}), await connected({"token": token(2)})
    for client in [one, other]:
        joined = await say(client, "joinRoom", chatroomId="python")
        assert joined["type"] == "ack", joined
    sent = await say(one, "sendMessage", chatroomId="python", message={"type": "text", "content": "hello"})
    assert sent["type"] == "ack", sent
    while (push := await next_of(other_hears, "message"))["type"] != "sendMessage":
        pass
    assert (push["message"]["content"], push["message"]["id"]) == ("hello", sent["id"]), push
    refused = await say(one, "sendMessage", chatroomId="python")
    assert (refused["type"], refused["code"]) == ("error", "badRequest"), refused
    await one.emit("sendMessage", {"chatroomId": "python"})
    assert (await next_of(one_hears, "exception"))["code"] == "badRequest"
    await one.disconnect()
    assert (await next_of(other_hears, "leaveRoom"))["userId"] == 1
    await other.disconnect()


async def is_told_why_it_is_not_let_in():
    for auth, message in [(None, "a token is missing"), ({"token": "no.token"}, "the token was refused")]:
        client, said = socketio.AsyncClient(reconnection=False), asyncio.Queue()
        client.on("connect_error", said.put_nowait)
        try:
            await client.connect(
                address, transports=["websocket"], socketio_path=stage, auth=auth, wait_timeout=PATIENCE
            )
        except socketio.exceptions.ConnectionError:
            pass
        else:
            raise AssertionError("it came in")
        async with asyncio.timeout(PATIENCE):
            error = await said.get()
        assert (error["message"], error["data"]["code"]) == (message, "notAllowed"), error


async def comes_back_when_it_is_cut():
    client, heard = await connected({"token": token(3)})
    await next_of(heard, "connect")
    await next_of(heard, "disconnect")
    await next_of(heard, "connect")
    await client.disconnect()


async def main():
    for trial in [talks, is_told_why_it_is_not_let_in, comes_back_when_it_is_cut]:
        await trial()
        print(f"ok: a client in Python {trial.__name__.replace('_', ' ')}")


asyncio.run(main())
