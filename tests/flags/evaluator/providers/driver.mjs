// Drives the stock JavaScript providers: one JSON command per line in, one JSON answer per line out.
import { createInterface } from "node:readline";
import { OpenFeature as Server } from "@openfeature/server-sdk";
import { OpenFeature as Web, ProviderEvents } from "@openfeature/web-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { EventSource as BaseEventSource } from "eventsource";

// A stream whose connection a test can break: its body then fails as a broken socket's would.
const open = new Set();
async function breakable(address, options) {
  const response = await fetch(address, options);
  if (response.status !== 200) return response;
  let fail;
  const broken = new Promise((_resolve, reject) => (fail = () => reject(new TypeError("cut"))));
  broken.catch(() => {});
  const reader = response.body.getReader();
  const body = { getReader: () => ({ read: () => Promise.race([reader.read(), broken]) }) };
  open.add(() => { fail(); reader.cancel().catch(() => {}); });
  const { status, headers, url, redirected } = response;
  return { status, headers, url, redirected, body };
}
globalThis.EventSource = class extends BaseEventSource {
  constructor(address) { super(address, { fetch: breakable }); }
};

const visitors = new Map();

function counting(statuses) {
  return async (request, options) => {
    const response = await fetch(request, options);
    statuses.push(response.status);
    return response;
  };
}

const commands = {
  async open({ name, kind, url, token, context }) {
    const statuses = [], events = [];
    const options = {
      baseUrl: url,
      headers: [["Authorization", `Bearer ${token}`]],
      fetchImplementation: counting(statuses),
      cacheMode: "disabled",
    };
    const api = kind === "web" ? Web : Server;
    const provider = kind === "web" ? new OFREPWebProvider(options) : new OFREPProvider(options);
    const client = api.getClient(name);
    for (const event of Object.values(ProviderEvents)) client.addHandler(event, () => events.push(event));
    if (kind === "web") await Web.setContext(name, context);
    await api.setProviderAndWait(name, provider);
    visitors.set(name, { kind, client, provider, statuses, events });
    return {};
  },
  async value({ name, flag, otherwise, context }) {
    const { kind, client } = visitors.get(name);
    const type = { boolean: "Boolean", string: "String", number: "Number" }[typeof otherwise] ?? "Object";
    const rest = kind === "web" ? [] : [context];
    return await client[`get${type}Details`](flag, otherwise, ...rest);
  },
  async become({ name, context }) {
    await Web.setContext(name, context);
    return {};
  },
  async seen({ name }) {
    const { statuses, events } = visitors.get(name);
    return { statuses, events };
  },
  async cut() {
    for (const one of open) one();
    open.clear();
    return {};
  },
  async close({ name }) {
    await visitors.get(name)?.provider.onClose?.();
    visitors.delete(name);
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = await commands[command.do](command);
  } catch (error) {
    answer = { failed: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0);
