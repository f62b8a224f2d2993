import { stat, unlink } from 'node:fs/promises';
import { Command } from 'commander';
import { withoutSecrets } from '../config/url-text.js';
import { NatsFeed } from '../feed/nats.js';
import { Recorder } from '../feed/recorder.js';
import { type FeedSink, systemClock } from '../feed-contract/feed.js';
import { FeedErrors } from '../feed-contract/feed-errors.js';
import { SubjectPrefix } from '../protocol/subject-prefix.js';
import { CommandFailure, reasonOf } from './failure.js';
import { natsConfig, natsOption } from './nats-connection.js';
import { note } from './output.js';

const ALL_ORDERS = 'orders.>';

const EXAMPLES = `
Records what is published on md.> until Ctrl-C, with --orders also orders.>, which surveillance needs; orders name their users. Never overwrites an existing recording.
If the file becomes unwritable, for example on a full disk, the command exits with 1; you can replay what was recorded so far.

Examples:
  $ millrace record monday.rec --nats nats://127.0.0.1:4222
  $ millrace record --orders monday.rec
  $ FEED=replay REPLAY_FILE=monday.rec REPLAY_SPEED=10 millrace serve`;

/** `millrace record`: records market data from NATS into a file for FEED=replay. */
export function recordCommand(): Command {
  return new Command('record')
    .description('record market data from NATS into a file, for a later replay')
    .argument('<file>', 'the recording; created')
    .addOption(natsOption())
    .option('--orders', 'record the orders of all users, too')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, options: { nats: string; orders?: boolean }) => {
      process.exitCode = await record(file, options.nats, options.orders === true);
    });
}

/** Resolves with the exit code after SIGINT or SIGTERM, or when the disk is full: 1 if the recording is incomplete. */
async function record(file: string, url: string, hasOrders: boolean): Promise<number> {
  const config = natsConfig(url, process.env);
  let isComplete = true;
  const recorder = await openRecorder(file, error => {
    isComplete = false;
    note(error.message);
  });
  const clock = systemClock;
  const errors = new FeedErrors(() => clock.monotonicMicros() / 1000);
  const feed = new NatsFeed({ config, nodeName: 'millrace-record', errors, clock });
  const sink: FeedSink = {
    message: message => recorder.message(message),
    status: (status, detail) => note(`${status}: ${detail}`),
    notice: (what, detail) => note(`${what}: ${detail}`),
  };
  const outcome = await feed.start(sink);
  const followed = outcome.ok && hasOrders ? await feed.follow(ALL_ORDERS, true) : outcome;
  if (!followed.ok) {
    await feed.stop();
    await recorder.close();
    await removeEmpty(file);
    throw new CommandFailure(followed.detail);
  }
  const prefix = new SubjectPrefix(config.subjectPrefix);
  const patterns = ['md.>', ...(hasOrders ? [ALL_ORDERS] : [])].map(pattern => prefix.add(pattern));
  note(`recording ${patterns.join(' and ')} from ${withoutSecrets(config.url)} into ${file}; Ctrl-C stops`);
  await Promise.race([interrupted(), recorder.failed]);
  await feed.stop();
  await recorder.close();
  const { messagesWritten, messagesDropped } = recorder;
  note(`${messagesWritten} messages recorded${messagesDropped > 0 ? `, ${messagesDropped} lost` : ''}`);
  return isComplete ? 0 : 1;
}

async function openRecorder(file: string, onError: (error: Error) => void): Promise<Recorder> {
  try {
    return await Recorder.open({ file, clock: systemClock, onError });
  } catch (cause) {
    throw new CommandFailure(reasonOf(cause), { cause });
  }
}

/** Removes the file of a recording that never began, so that the next attempt can use the name. */
async function removeEmpty(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() === true) await unlink(file).catch(() => undefined);
}

function interrupted(): Promise<void> {
  return new Promise(resolve => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}
