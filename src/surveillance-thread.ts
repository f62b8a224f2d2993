/** The entry of the surveillance thread: the market from NATS or from main, one watcher among many gateways, and where alerts go. */
import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { connectNats, rightOf, watchConnection } from './feed/nats-connection.js';
import { BucketEntries } from './fix/store/bucket-entries.js';
import { monotonicMicros, WallClock } from './protocol/wall-clock.js';
import { Lease } from './surveillance/lease.js';
import { NatsMarket } from './surveillance/nats-market.js';
import { Watch } from './surveillance/watch.js';
import type { WatchStart } from './surveillance/watch-start.js';
import type { FromWatch, ToWatch, WatchState } from './threads/surveillance-messages.js';

/** How often main hears how it goes; changes are told at once. */
const REPORT_MS = 1_000;
const HOLDER_BYTES = 8;

const port = parentPort;
if (port === null) throw new Error('surveillance-thread is a worker thread, not a program');
const { node, nats, leaseBucket, thresholds, channel } = workerData as WatchStart;
const post = (message: FromWatch) => port.postMessage(message);
const clock = new WallClock();

const watch = new Watch({
  thresholds,
  node,
  nowMicros: () => clock.nowMicros(),
  onAlert: alert => {
    market?.publish(alert);
    post({ type: 'alert', alert, isOwn: true });
  },
});

let state: WatchState = nats === undefined ? 'watching' : 'connecting';
let detail = '';
let refusedLease = '';

const market =
  nats === undefined
    ? undefined
    : new NatsMarket({
        nats,
        nodeName: node,
        channel,
        onMessage: message => watch.take(message),
        onAlert: alert => {
          if (alert.node === node) return;
          watch.foreign(alert);
          post({ type: 'alert', alert, isOwn: false });
        },
        onChange: () => report(),
      });

function report(): void {
  const problem = market?.problem ?? '';
  const blocked = market?.hasConnected === false ? 'connecting' : 'unavailable';
  post({
    type: 'watch',
    state: state === 'watching' && problem !== '' ? blocked : state,
    detail: state === 'unavailable' || problem === '' ? detail : problem,
    counters: { ...watch.counters, unpublished: market?.unpublished ?? 0 },
  });
}

function become(next: WatchState, why: string): void {
  const hasChanged = next !== state || why !== detail;
  state = next;
  detail = why;
  market?.watch(next === 'watching');
  if (hasChanged) report();
}

const lease = nats === undefined || leaseBucket === undefined ? undefined : newLease(leaseBucket);

function newLease(bucket: string): { readonly lease: Lease; readonly entries: BucketEntries } {
  const connect = async () => {
    const connection = await connectNats(nats as NonNullable<typeof nats>, `${node}-surveillance-lease`);
    watchConnection(connection, {
      disconnected: () => {},
      reconnected: () => {},
      closed: () => {},
      refused: error => {
        refusedLease = error.kind === 'permissions' ? `this NATS user may not ${rightOf(error)}` : error.detail;
      },
    });
    return connection;
  };
  const entries = new BucketEntries(connect, bucket, nats?.jsApiPrefix);
  const holder = `${node} ${randomBytes(HOLDER_BYTES).toString('hex')}`;
  const made = new Lease({
    entries,
    holder,
    nowMs: () => monotonicMicros() / 1000,
    onHeld: () => become('watching', ''),
    onStandby: other => become('standby', other === '' ? '' : `${other.split(' ')[0]} watches`),
    onUnavailable: cause => {
      // The holder watches on until it must assume that another one does.
      if (made.isHeld) return;
      const why = refusedLease === '' ? unavailableText(cause) : refusedLease;
      become('unavailable', `cannot use the bucket ${bucket}: ${why}`);
    },
  });
  return { lease: made, entries };
}

/** nats.js has only a code for a server without JetStream. */
function unavailableText(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const hasNoJetStream = text === '503' || /no responders|jetstream not enabled/i.test(text);
  return hasNoJetStream
    ? 'the NATS server has no JetStream; without it, set SURVEILLANCE_LEASE=off on one gateway only'
    : text;
}

async function close(): Promise<void> {
  clearInterval(reporting);
  await lease?.lease.close();
  await Promise.all([lease?.entries.close(), market?.close()]);
  post({ type: 'closed' });
  setImmediate(() => process.exit(0));
}

port.on('message', (message: ToWatch) => {
  if (message.type === 'behaviour') watch.clients(message);
  else if (message.type === 'messages') {
    for (const one of message.messages) watch.take(one);
    post({ type: 'taken', messages: message.messages.length });
  } else void close();
});

void market?.open();
if (lease !== undefined) lease.lease.start();
else become('watching', '');
report();
const reporting = setInterval(report, REPORT_MS);
