import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The local run, as if it was on this page's own address. Deployed, main.tsx names the addresses of the stack instead.
const chat = process.env.CHAT ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react()],
  server: {
    host: "127.0.0.1",
    proxy: { "/dev": { target: chat, ws: true }, "/chat-history": chat, "/local": chat },
  },
});
