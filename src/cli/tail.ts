import { Command, InvalidArgumentError, Option } from 'commander';
import { topicParts } from '../protocol/topic-parts.js';
import { ALL_SYMBOLS, isName, isStream, STREAMS, sourceKindOf } from '../protocol/topics.js';
import { CLASSES, DEPTHS, FORMATS } from '../protocol/view-options.js';
import { type TailOptions, TailSession, type TopicArgument } from './tail-session.js';

const EXAMPLES = `
Topics are stream:name with a stream of ${STREAMS.join(', ')}. \`trades\` alone means the trades of all symbols,
\`orders\` alone your own.
Messages go to standard output, one line each; news about the connection goes to standard error. The command applies every
delta and checks its chain: it reports a hole as CHAIN BROKEN and repairs it with a resync. STALE means that a topic's
prices are old, because the gateway lacks a message of its publisher; WHOLE again ends it. GAP names lost events.

Examples:
  $ millrace tail quotes:AAPL orderbook:BTC/USDT --token "$TOKEN"
  $ millrace tail trades --count 100
  $ millrace tail orders analytics:alerts rooms:desk-7 --api-key "$KEY"
  $ millrace tail depth:BTC/USDT --depth 25 --format msgpack --class 100ms
  $ MILLRACE_TOKEN=$TOKEN millrace tail quotes:MSFT --url wss://feed.example.com`;

/** Streams that need no name. */
const WITHOUT_NAME: ReadonlySet<string> = new Set(['trades', 'orders']);

/** `millrace tail`: follows topics of a running gateway until Ctrl-C. */
export function tailCommand(): Command {
  return new Command('tail')
    .description('follow topics of a running gateway and verify their chains')
    .argument(
      '<topic...>',
      'quotes:AAPL, trades, depth:BTC/USDT, orders, analytics:alerts, rooms:desk-7',
      topicArgument,
    )
    .addOption(new Option('--url <url>', 'gateway').default('ws://127.0.0.1:8080'))
    .addOption(new Option('--token <token>', 'credential').env('MILLRACE_TOKEN'))
    .addOption(new Option('--api-key <key>', 'credential instead of a token').env('MILLRACE_API_KEY'))
    .addOption(new Option('--format <format>', 'wire format').choices(FORMATS).default('json'))
    .addOption(new Option('--class <class>', 'how often state topics are sent').choices(CLASSES))
    .addOption(new Option('--depth <levels>', `levels of depth topics: ${DEPTHS.join(', ')}`).argParser(depthArgument))
    .option('--count <n>', 'stop after this many messages', countArgument)
    .addHelpText('after', EXAMPLES)
    .action(async (topics: readonly TopicArgument[], options: TailOptions) => {
      process.exitCode = await new TailSession(topics, options).run();
    });
}

function topicArgument(text: string, before: readonly TopicArgument[] = []): readonly TopicArgument[] {
  if (isStream(text) && WITHOUT_NAME.has(text)) return [...before, { stream: text, symbol: ALL_SYMBOLS }];
  const [stream, symbol] = topicParts(text);
  if (!isStream(stream)) {
    throw new InvalidArgumentError(`It must be stream:name with a stream of ${STREAMS.join(', ')}.`);
  }
  if (!isName(sourceKindOf(stream), symbol) && !(symbol === ALL_SYMBOLS && stream === 'trades')) {
    throw new InvalidArgumentError(
      `${JSON.stringify(symbol)} is not a symbol or another name (only trades can be followed for all: trades:*).`,
    );
  }
  return [...before, { stream, symbol }];
}

function depthArgument(text: string): number {
  const depth = DEPTHS.find(levels => String(levels) === text);
  if (depth === undefined) throw new InvalidArgumentError(`It must be ${DEPTHS.join(', ')}.`);
  return depth;
}

function countArgument(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
}
