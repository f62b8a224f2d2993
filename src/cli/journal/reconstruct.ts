import { Command, Option } from 'commander';
import { readConfig } from '../../config/environment.js';
import { NatsNames } from '../../feed/nats-names.js';
import { listChains } from '../../journal/chains.js';
import { Deliveries } from '../../journal/deliveries.js';
import type { Delivery } from '../../journal/delivery.js';
import { recordsOf } from '../../journal/read.js';
import { topicParts } from '../../protocol/topic-parts.js';
import { ALL_SYMBOLS, isStream, STREAMS, topicOf } from '../../protocol/topics.js';
import type { PastFeed } from '../../reconstruct/past-feed.js';
import { reconstructedLine } from '../../reconstruct/reconstructed-line.js';
import { Reconstruction } from '../../reconstruct/reconstruction.js';
import { RecordedFeed } from '../../reconstruct/recorded-feed.js';
import { StreamFeed } from '../../reconstruct/stream-feed.js';
import { TS_SENT_PLACEHOLDER } from '../../threads/stamp.js';
import { CommandFailure, reasonOf } from '../failure.js';
import { connectOnce, natsConfig, natsOption, noteRefusals } from '../nats-connection.js';
import { note, sayJson } from '../output.js';
import { exitsWith2, journalFolder, microsArgument, pseudonymOf } from './folder.js';

/** Messages that are kept until it is known whether the client confirmed them. Clients confirm with each answer to a ping. */
const UNSETTLED_MAX = 2_000_000;
/** Messages that are reconstructed at a time; each time, what publishers sent is read from its beginning. */
const PART_DELIVERIES = 250_000;
const ALL_TRADES = topicOf('trades', ALL_SYMBOLS);

/** What a connection was sent on a topic, as the journal names it. */
interface Parts {
  readonly topic: string;
  readonly deliveries: AsyncGenerator<readonly Delivery[]>;
}

const EXAMPLES = `
Prints a JSON line for each message that the connection was sent on the topic, in order: {"t":…,"mark":…,"frame":…}. mark is
confirmed if the client certainly received it, and sent if it was handed to the connection but no answer to a ping proves that it
arrived. frame is the message: JSON as it was sent, MessagePack as base64, FIX as the fields of its entries. ts_sent is always
${TS_SENT_PLACEHOLDER}. The messages come from a recording (millrace record) or from the gateway's stream; if that lacks one, the line
says what is missing instead, and the command exits with 1.

Examples:
  $ millrace journal reconstruct journal --connection 5f0c2a91e3d7-2s --topic quotes:AAPL --recording monday.rec
  $ millrace journal reconstruct journal --connection 5f0c2a91e3d7-2s --topic trades:AAPL --jetstream --nats nats://nats-1:4222`;

interface ReconstructOptions {
  readonly connection: string;
  readonly topic: string;
  readonly recording?: string;
  readonly jetstream?: true;
  readonly nats: string;
  readonly stream: string;
  readonly from?: number;
  readonly to?: number;
}

/** `millrace journal reconstruct`: the messages that a connection was sent. */
export function reconstructCommand(): Command {
  const { stream } = readConfig({}).nats;
  return exitsWith2(
    new Command('reconstruct')
      .description('print the messages that a connection was sent on a topic')
      .argument('[dir]', 'folder of the journal (default: JOURNAL_DIR)')
      .requiredOption('--connection <id>', 'as in the header Millrace-Connection')
      .requiredOption('--topic <topic>', 'stream:name, such as quotes:AAPL, trades:* or orders:alice')
      .addOption(new Option('--recording <file>', 'what publishers sent, from millrace record').conflicts('jetstream'))
      .option('--jetstream', 'what publishers sent, from the stream that the gateway read')
      .addOption(new Option('--stream <name>', 'that stream').env('NATS_STREAM').default(stream))
      .addOption(natsOption())
      .addOption(new Option('--from <time>', 'messages at this time or later').argParser(microsArgument))
      .addOption(new Option('--to <time>', 'messages at this time or earlier').argParser(microsArgument))
      .addHelpText('after', EXAMPLES)
      .action(async (given: string | undefined, options: ReconstructOptions) => {
        process.exitCode = await reconstruct(given, options);
      }),
  );
}

async function reconstruct(given: string | undefined, options: ReconstructOptions): Promise<number> {
  const folder = journalFolder(given);
  const topic = topicOfOption(folder, options.topic);
  const parts = { topic, deliveries: deliveriesOf(folder, topic, options) };
  if (options.recording !== undefined) {
    const feed = new RecordedFeed(options.recording);
    const exitCode = await print(parts, feed, options.topic);
    if (feed.malformed > 0) note(`${feed.malformed} lines of ${options.recording} are not messages`);
    return exitCode;
  }
  if (options.jetstream !== true)
    throw new CommandFailure('name the messages of publishers: --recording <file> or --jetstream');
  const config = natsConfig(options.nats, process.env);
  const connection = await connectOnce(config);
  noteRefusals(connection);
  try {
    const feed = await StreamFeed.open(connection, new NatsNames(config), options.stream);
    return await print(parts, feed, options.topic);
  } catch (cause) {
    if (cause instanceof CommandFailure) throw cause;
    throw new CommandFailure(`stream ${options.stream}: ${reasonOf(cause)}`, { cause });
  } finally {
    await connection.close();
  }
}

/** The topic as the journal names it: users stand there as pseudonyms. */
function topicOfOption(folder: string, topic: string): string {
  const [stream, name] = topicParts(topic);
  if (!isStream(stream) || name === '') {
    throw new CommandFailure(
      `${topic} is not a topic: write stream:name, such as quotes:AAPL (streams: ${STREAMS.join(', ')})`,
    );
  }
  if (name.includes('*') && topic !== ALL_TRADES) {
    throw new CommandFailure(
      `${topic} is a pattern: name one topic, such as ${stream}:AAPL. Only ${ALL_TRADES} is a topic of its own`,
    );
  }
  return stream === 'orders' ? `orders:${pseudonymOf(folder, name)}` : topic;
}

/** What the connection was sent, a part at a time, so that neither the journal nor the messages need to fit into memory. */
async function* deliveriesOf(
  folder: string,
  topic: string,
  { connection, from = 0, to = Number.POSITIVE_INFINITY }: ReconstructOptions,
): AsyncGenerator<readonly Delivery[]> {
  const chains = listChains(folder);
  if (chains.length === 0) throw new CommandFailure(`${folder} has no segments of a journal (000001.mjl)`);
  for (const chain of chains) {
    const found = new Deliveries(connection, topic, UNSETTLED_MAX, { from, to });
    for await (const record of recordsOf(chain.folder)) {
      found.take(record);
      if (found.isTooMuch) throw new CommandFailure(tooMuch(topic));
      if (found.settled >= PART_DELIVERIES) yield found.takeSettled();
      if (found.isDone) break;
    }
    if (!found.isFound) continue;
    if (found.dropped > 0) {
      note(
        `warning: ${found.dropped} records of the connection's thread were lost while it was open: what was published after them, until the topic was live again, is missing below`,
      );
    }
    noteNothing(found, topic, connection);
    yield found.takeSettled(true);
    return;
  }
  throw new CommandFailure(`the journal knows no connection ${connection}`);
}

/** Says so where nothing was sent at all, most often because the topic is another one. */
function noteNothing(found: Deliveries, topic: string, connection: string): void {
  if (!found.isEmpty) return;
  const { followed } = found;
  const topics = followed.length === 0 ? 'it followed no topic' : `it followed ${followed.join(', ')}`;
  note(`${connection} was sent nothing on ${topic} in this period: ${topics}`);
}

const tooMuch = (topic: string): string =>
  `more than ${UNSETTLED_MAX} messages were sent on ${topic} before the client confirmed any: choose a shorter period with --from and --to`;

/** @param asked the topic as the user names it */
async function print(parts: Parts, feed: PastFeed, asked: string): Promise<number> {
  const [, name] = topicParts(asked);
  const nameOf = (one: string): string => (one === parts.topic ? name : topicParts(one)[1]);
  let messages = 0;
  let missing = 0;
  for await (const deliveries of parts.deliveries) {
    messages += deliveries.length;
    const reconstruction = new Reconstruction({ deliveries, feed, nameOf });
    try {
      for await (const one of reconstruction.run()) {
        if (one.missing !== undefined) missing++;
        await sayJson(reconstructedLine(one));
      }
    } catch (cause) {
      throw new CommandFailure(`${feed.name}: ${reasonOf(cause)}`, { cause });
    }
  }
  note(summary(messages, missing));
  if (missing > 0) note(feed.remedy);
  return missing === 0 ? 0 : 1;
}

function summary(messages: number, missing: number): string {
  const all = messages === 1 ? '1 message' : `${messages} messages`;
  return `${all}, ${missing} of them cannot be reconstructed`;
}
