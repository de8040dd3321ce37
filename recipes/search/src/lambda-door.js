import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"; // part of Lambda's Node runtime
import { door } from "./door.js";

const lambda = new LambdaClient();

export const handler = door({
  historyUrl: String(process.env.HISTORY_URL),
  async search(search) {
    const answer = await lambda.send(new InvokeCommand({ FunctionName: process.env.INDEX_FUNCTION, Payload: JSON.stringify({ search }) }));
    const payload = new TextDecoder().decode(answer.Payload);
    if (answer.FunctionError) throw new Error(`the index failed: ${payload}`);
    return JSON.parse(payload);
  },
});
