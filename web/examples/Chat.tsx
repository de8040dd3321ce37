// The course's chat page, moved over. What changed, line by line, is in the README.
import { Input } from "antd";
import { useEffect, useRef, useState } from "react";
import { ChatClient, type ChatOptions, type ChatRoom, type Kind } from "../chat-client.js";

interface Message {
    type: Kind
    content: string
}

export function Chat(options: ChatOptions) {

    const [messageList, setMessageList] = useState<Array<Message>>([]);
    const roomRef = useRef<ChatRoom>(undefined);

    useEffect(() => {
        const client = new ChatClient(options);
        const room = roomRef.current = client.room(1);

        room.addEventListener('joined', ({ detail }) => {
            setMessageList(messageList => [...messageList, {
                type: 'text',
                content: '用户 ' + detail.userId + '加入聊天室'
            }])
        });
        room.addEventListener('message', ({ detail }) => {
            setMessageList(messageList => [...messageList, detail])
        });

        client.connect();
        room.join();
        return () => client.disconnect();
    }, []);

    function sendMessage(value: string) {
        roomRef.current?.send(value);
    }

    return <div>
        <Input onBlur={(e) => {
            sendMessage(e.target.value);
        }}/>
        <div>
            {messageList.map(item => {
                return <div>
                    {item.type === 'image' ? <img src={item.content}/> : item.content }
                </div>
            })}
        </div>
    </div>
}
