/** The entry of the journal thread: connects a `Journal` to the producers and to the main thread. */

import { join } from 'node:path';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { textOf } from '../feed-contract/error-text.js';
import { monotonicMicros, WallClock } from '../protocol/wall-clock.js';
import { JournalCells } from '../threads/journal-cells.js';
import type { FromJournal, JournalBatch, ToJournal } from '../threads/journal-records.js';
import { WritersLock } from './held-folder.js';
import { Journal } from './journal.js';
import { noteEraseAfter } from './privacy/erase-policy.js';
import { KEYS_FOLDER } from './privacy/key-wrap.js';
import { masterKeysOf } from './privacy/master-key-file.js';
import { SubjectKeys } from './privacy/subject-keys.js';
import { Retention } from './retention.js';
import type { ClockQuality } from './segments.js';
import { openSigningKey } from './signing-key.js';
import type { JournalThreadData } from './thread-data.js';
import { TrustedTime } from './trusted-time.js';
import { JournalWriter } from './writer.js';

const TICK_MS = 100;
const SECOND_MS = 1000;
const CHECKPOINT_MS = 60_000;
const MICROS_PER_MS = 1000;

const port = parentPort;
if (port === null) throw new Error('journal/thread is a worker thread, not a program');
const data = workerData as JournalThreadData;
const post = (message: FromJournal) => port.postMessage(message);
const wallClock = new WallClock();
const nowMicros = () => wallClock.nowMicros();
let clock: ClockQuality = { source: 'unknown', offset_us: null, error_us: null };

try {
  await open();
} catch (cause) {
  post({ type: 'refused', reason: textOf(cause) });
}

async function open(): Promise<void> {
  const { settings, folder, node, origin } = data;
  const signing = openSigningKey(settings.folder, settings.signingKeyFile);
  const keysFolder = join(settings.folder, KEYS_FOLDER);
  const openKeys = () =>
    new SubjectKeys({
      folder: keysFolder,
      masters: () => masterKeysOf(settings, keysFolder),
      nowMs: () => nowMicros() / MICROS_PER_MS,
    });
  const retention = new Retention({
    folder: settings.folder,
    openKeys,
    retentionMicros: settings.retentionMs * MICROS_PER_MS,
    time: new TrustedTime(settings.folder, { nowMicros, monotonicMicros }),
  });
  const writer = new JournalWriter({
    folder,
    node,
    fsync: settings.fsync,
    segmentBytesMax: settings.segmentBytesMax,
    prune: own => retention.run(own),
    nowMicros,
    clock: () => clock,
    onFault: (what, cause) => post({ type: 'fault', what, detail: String(cause) }),
  });
  const lock = new WritersLock(folder, data.lock);
  // Opening writes, too.
  lock.keep();
  await writer.open();
  noteEraseAfter(settings.folder, settings.eraseAfterMs ?? 0);
  const journal = new Journal({
    folder,
    lock,
    writer,
    keysFolder,
    openKeys,
    cells: new JournalCells(data.cells),
    origin,
    signingKey: signing.key,
    recordsOrders: folder === settings.folder,
    syncsBlocks: settings.fsync === 'block',
    nowMicros,
    post,
  });
  serve(journal);
  const { publicPem, publicFile, isNew } = signing;
  post({ type: 'ready', publicKey: publicPem, publicKeyFile: publicFile, isKeyNew: isNew });
}

function serve(journal: Journal): void {
  const timers = [
    setInterval(() => journal.tick(), TICK_MS),
    setInterval(() => journal.second(), SECOND_MS),
    setInterval(() => journal.checkpoint(), CHECKPOINT_MS),
  ];
  const takes = new Map<MessagePort, (batch: JournalBatch) => void>();
  port?.on('message', (message: ToJournal) => {
    switch (message.type) {
      case 'producer': {
        const lines = journal.linesOf(message.worker);
        const take = (batch: JournalBatch) => journal.take(lines, batch);
        message.port.on('message', take);
        message.port.once('close', () => takes.delete(message.port));
        takes.set(message.port, take);
        break;
      }
      case 'name':
        journal.name(message.id, message.subjects);
        break;
      case 'clock':
        clock = message.quality;
        break;
      case 'close':
        for (const timer of timers) clearInterval(timer);
        for (const [from, take] of takes) drain(from, take);
        void journal.close();
    }
  });
}

/** What was posted before the order to close may still wait. */
function drain(from: MessagePort, take: (batch: JournalBatch) => void): void {
  for (let next = receiveMessageOnPort(from); next !== undefined; next = receiveMessageOnPort(from)) {
    take(next.message as JournalBatch);
  }
}
