/** What a gateway thread does for each frame, command and upgrade. */

import { createHmac } from 'node:crypto';
import { createTokenVerifier, mintToken } from '../../src/auth/token.js';
import { TOKEN_CACHE_ENTRIES_MAX } from '../../src/auth/token-cache.js';
import { readConfig } from '../../src/config/environment.js';
import { MessageRate } from '../../src/gateway/limits/message-rate.js';
import { App, type TemplatedApp } from '../../src/gateway/native/uws.js';
import { Outbox } from '../../src/gateway/sending/outbox.js';
import { Views } from '../../src/gateway/views/views.js';
import { REALTIME } from '../../src/protocol/view-options.js';
import { laneOf } from '../../src/threads/lanes.js';
import type { MicroCase } from './micro-case.js';

const SECRET = 'a secret of the benchmark, of at least 32 bytes';
const FRAME_BYTES = 200;
const MESSAGES_PER_SECOND = 1_000;

export async function gatewayCases(): Promise<MicroCase[]> {
  const app = App();
  // uWS publishes only once there is a WebSocket route.
  app.ws('/*', {});
  const { remembered, verified, hmac } = await upgrades();
  return [
    { name: 'publish, no socket subscribed', run: publishing(app), reference: stringifying() },
    { name: 'token bucket', run: taking(), reference: () => performance.now() },
    { name: 'upgrade check, token known', run: remembered, reference: hmac },
    { name: 'upgrade check, token new', run: verified, reference: hmac },
  ];
}

/** The outbox's own part of publishing a frame, with uWS's; what sockets cost is measured by fanout. */
function publishing(app: TemplatedApp): () => void {
  const cell = { messages: 0, bytes: 0 };
  const views = new Views(
    1,
    () => undefined,
    () => cell,
  );
  const view = views.acquire('quotes', 'AAPL', laneOf(REALTIME, 0, 'json', false), { tier: 'institutional' });
  view.countSubscriber(true);
  const outbox = new Outbox(
    (topic, bytes, isBinary, compress) => app.publish(topic, bytes, isBinary, compress),
    () => 0,
    () => cell,
    false,
  );
  const frame = new Uint8Array(FRAME_BYTES);
  return () => outbox.publish(view, frame, 0, FRAME_BYTES);
}

function stringifying(): () => string {
  const quote = { symbol: 'AAPL', current_price: 229.51, bid: 229.49, ask: 229.53, volume: 997_276 };
  return () => JSON.stringify(quote);
}

function taking(): () => void {
  const rate = new MessageRate(MESSAGES_PER_SECOND);
  const bucket = rate.fill(performance.now());
  return () => void rate.take(bucket, performance.now());
}

async function upgrades() {
  const config = readConfig({ AUTH_JWT_SECRET: SECRET }).auth;
  const mint = (sub: string) => mintToken({ secret: SECRET, sub, tier: 'institutional', ttlMs: 3_600_000 });
  const token = await mint('alice');
  const known = await createTokenVerifier(config);
  const warm = await createTokenVerifier(config);
  await warm.verify(token);
  // More than are remembered: whichever comes next has been forgotten.
  const tokens = await Promise.all(Array.from({ length: TOKEN_CACHE_ENTRIES_MAX + 1 }, (_, i) => mint(`user${i}`)));
  let at = 0;
  return {
    remembered: () => warm.remembered(token),
    verified: () => known.verify(tokens[at++ % tokens.length] as string),
    hmac: () => createHmac('sha256', SECRET).update(token).digest(),
  };
}
