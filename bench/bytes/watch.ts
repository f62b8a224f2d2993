/** Runs the gateway on a feed and weighs what it sends: one client per format and stream. */
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { Children } from '../harness/children.js';
import { startGateway } from '../harness/gateway.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import type { FeedPlan } from './feeds.js';
import { DEPTH, Ledger, QUOTES, type WireBytes } from './ledger.js';

/** Levels per side of the book that is watched. */
export const DEPTH_LEVELS = 25;
const CONNECT_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

export interface FeedBytes {
  readonly feed: string;
  readonly description: string;
  readonly symbols: number;
  readonly quotes: WireBytes;
  /** The book of the first symbol; no updates where the feed has no books. */
  readonly depth: WireBytes;
}

/** Watches the quotes of all symbols and the book of the first one for `seconds`. */
export async function watchFeed(
  plan: FeedPlan,
  symbols: readonly string[],
  seconds: number,
  signal: AbortSignal,
): Promise<FeedBytes> {
  const children = new Children(signal);
  const sockets: WebSocket[] = [];
  try {
    const secret = newSecret();
    const env = { ...plan.env, AUTH_JWT_SECRET: secret, WORKERS: '1', ENCODERS: '1' };
    const gateway = await startGateway(children, env);
    const [token = ''] = await mintTokens(secret, 1);
    const quotes = new Ledger(QUOTES, plan.tickMs / 2);
    const depth = new Ledger(DEPTH, plan.tickMs / 2);
    const { child, port } = gateway;
    const watch = async (path: string, ledger: Ledger, firstEvent: 'open' | 'message'): Promise<void> => {
      for (const format of ['json', 'msgpack'] as const) {
        const query = `class=${plan.rateClass}&format=${format}&token=${token}`;
        const socket = new WebSocket(`ws://127.0.0.1:${port}${path}&${query}`, { perMessageDeflate: false });
        sockets.push(socket);
        await child.during(connected(socket, ledger, firstEvent));
      }
    };
    const book = encodeURIComponent(symbols[0] ?? '');
    await watch(`/ws/quotes?symbols=${symbols.map(encodeURIComponent).join(',')}`, quotes, 'message');
    await watch(`/ws/markets/${book}?depth=${DEPTH_LEVELS}`, depth, 'open');
    await child.during(firstUpdate(quotes));
    await child.during(sleep(seconds * 1000));
    const lost = sockets.filter(socket => socket.readyState !== WebSocket.OPEN).length;
    if (lost > 0)
      throw new Error(`${lost} of ${sockets.length} clients lost their connection on the ${plan.name} feed`);
    const { name, description } = plan;
    return { feed: name, description, symbols: symbols.length, quotes: quotes.close(), depth: depth.close() };
  } finally {
    for (const socket of sockets) socket.terminate();
    await children.endAll();
  }
}

async function firstUpdate(ledger: Ledger): Promise<void> {
  const deadline = performance.now() + CONNECT_TIMEOUT_MS;
  while (ledger.updates === 0) {
    if (performance.now() > deadline) throw new Error(`no quote changed within ${CONNECT_TIMEOUT_MS} ms`);
    await sleep(POLL_MS);
  }
}

/** Gives the socket's frames to the ledger; resolves at its first `event`, rejects when the connection fails before it. */
function connected(socket: WebSocket, ledger: Ledger, event: 'open' | 'message'): Promise<void> {
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) ledger.msgpack(data);
    else ledger.json(data.toString('utf8'), performance.now());
  });
  return new Promise((resolve, reject) => {
    const settle = (fault?: string): void => {
      clearTimeout(timer);
      if (fault === undefined) resolve();
      else reject(new Error(`the client of ${new URL(socket.url).pathname} ${fault}`));
    };
    const timer = setTimeout(() => settle(`had no '${event}' within ${CONNECT_TIMEOUT_MS} ms`), CONNECT_TIMEOUT_MS);
    socket.once('error', error => settle(`failed: ${error.message}`));
    socket.once('close', code => settle(`was closed with ${code}`));
    socket.once(event, () => settle());
  });
}
