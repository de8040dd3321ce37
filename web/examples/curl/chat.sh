#!/usr/bin/env bash
# Says something and reads what was said, without a connection: chat.sh [text] [room] [address]
set -euo pipefail

text="${1:-hello}" room="${2:-1}" address="${3:-http://127.0.0.1:3000}"

# Against a deployment, sign one: cargo run -p ops -- token 1 --rooms '*' < secret.txt
token="${TOKEN:-$(curl -sS --fail-with-body "$address/local/token" -d '{"userId":"curl","nickName":"curl","rooms":"*"}' | cut -d '"' -f 4)}"

# A text may have what JSON needs escaped.
text="${text//\\/\\\\}" text="${text//\"/\\\"}" text="${text//$'\n'/\\n}"
curl -sS --fail-with-body -H "Authorization: Bearer $token" "$address/sendMessage" \
    -d "{\"chatroomId\":\"$room\",\"message\":{\"type\":\"text\",\"content\":\"$text\"}}"
echo
curl -sS --fail-with-body -H "Authorization: Bearer $token" -G "$address/chat-history/list" \
    --data-urlencode "chatroomId=$room" --data-urlencode limit=10
echo
