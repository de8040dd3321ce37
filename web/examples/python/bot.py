"""A bot that repeats what it hears, in Python, by Socket.IO: python bot.py [room] [address].

The server must take clients of Socket.IO: cargo run -- --parameter SocketIo=on
"""

import asyncio
import json
import sys
import urllib.request

import socketio

room, address = (sys.argv[1:] + ["1", "http://127.0.0.1:3000"][len(sys.argv) - 1 :])[:2]
ME = "python"
chat = socketio.AsyncClient()


def token():
    # Against a deployment, sign one: cargo run -p ops -- token python --rooms '*' < secret.txt
    claims = json.dumps({"userId": ME, "nickName": "Python", "rooms": "*"}).encode()
    with urllib.request.urlopen(f"{address}/local/token", claims) as answer:
        return json.load(answer)["token"]


@chat.event
async def connect():
    # After each reconnect, too.
    await chat.call("joinRoom", {"chatroomId": room})
    print("listening in room", room, flush=True)


@chat.event
async def message(push):
    # Its own messages come back to it: without this it would never stop.
    if push["type"] == "sendMessage" and push["userId"] != ME:
        await chat.emit("sendMessage", {"chatroomId": room, "message": {"type": "text", "content": push["message"]["content"]}})


@chat.event
async def exception(refusal):
    print(refusal["code"], refusal["message"], file=sys.stderr)


async def main():
    await chat.connect(address, transports=["websocket"], socketio_path="dev", auth=lambda: {"token": token()})
    await chat.wait()


asyncio.run(main())
