// Verifies the token of each line of standard input with the snippet in the folder that is its argument.
// A line may also say by how many seconds it is `later`.
import { createInterface } from "node:readline";

const { verified } = await import(`${process.argv[2]}/verify.mjs`);
const now = Date.now;

for await (const line of createInterface({ input: process.stdin })) {
  const { token, scope, later } = JSON.parse(line);
  Date.now = () => now() + later * 1000;
  let told;
  try {
    told = { claims: await verified(token, scope) };
  } catch (error) {
    told = { code: error.code ?? null, message: error.message };
  }
  console.log(JSON.stringify(told));
}
