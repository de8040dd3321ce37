"""Talks in room 1, for the picture in docs/socket-io.md: talk.py HTTP-ADDRESS STAGE TOKEN. It says each line of its
input, and prints what it hears."""

import asyncio
import sys

import socketio

address, stage, token = sys.argv[1:]
client = socketio.AsyncClient()


@client.on("message")
def heard(push):
    said = push["message"]["content"] if push["type"] == "sendMessage" else "is here"
    print(f"user {push['userId']}: {said}", flush=True)


async def main():
    await client.connect(address, transports=["websocket"], socketio_path=stage, auth={"token": token})
    await client.call("joinRoom", {"chatroomId": 1})
    while line := await asyncio.to_thread(sys.stdin.readline):
        message = {"type": "text", "content": line.strip()}
        await client.call("sendMessage", {"chatroomId": 1, "message": message})
    await client.disconnect()


asyncio.run(main())
