// @ts-check
/** What template.yaml has, for where nobody deploys it. */
import { readFileSync } from "node:fs";
import { CreateTableCommand, DynamoDBClient, ResourceInUseException, UpdateTimeToLiveCommand } from "@aws-sdk/client-dynamodb";

const template = readFileSync(new URL("template.yaml", import.meta.url), "utf8");

export const defaultServices = /PushServices:[^]*?Default: (\S+)/.exec(template)?.[1] ?? "";

/** Its one table. One that is there stays. @param {string} TableName */
export async function makeTable(TableName) {
  const client = new DynamoDBClient();
  const key = { AttributeName: "PK" };
  try {
    await client.send(new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ ...key, AttributeType: "S" }],
      KeySchema: [{ ...key, KeyType: "HASH" }],
    }));
    await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true } }));
  } catch (caught) {
    if (!(caught instanceof ResourceInUseException)) throw caught;
  }
}
