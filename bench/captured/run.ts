/**
 * `npm run captured -- <file> …`: publishes captured messages of exchanges through a nats-server and a gateway of its own, and
 * holds what clients get against what the exchange said. Exit code 1 when something differs.
 */
import { inspect } from 'node:util';
import { Command } from 'commander';
import { ChildFailure, Children } from '../harness/children.js';
import { startGateway } from '../harness/gateway.js';
import { startNatsServer } from '../harness/nats-server.js';
import { MissingPrerequisite } from '../harness/prerequisite.js';
import { ProgressLine } from '../harness/progress-line.js';
import { mintTokens, newSecret } from '../harness/tokens.js';
import { isRight, replayCapture } from './replay.js';
import { asText } from './report.js';

const HELP = `
One message of an exchange a line, as JSON: as it came, or in an object or a pair that has the time beside it. Which exchange
it is of, the line says: Kraken v1 and v2, Coinbase, OKX, Deribit, Bitfinex. A file that ends in .gz is unpacked.
What becomes of each message is told in ops/examples/captured/README.md; small files to try are beside it.`;

/** Subscriptions of one connection: three topics for each symbol. */
const SUBSCRIPTIONS_MAX = '300000';

async function run(file: string, signal: AbortSignal): Promise<boolean> {
  const children = new Children(signal);
  const line = new ProgressLine(file);
  try {
    const nats = await startNatsServer(children);
    const secret = newSecret();
    const gateway = await startGateway(children, {
      NATS_URL: nats.url,
      AUTH_JWT_SECRET: secret,
      SYMBOLS: '*',
      WS_MAX_SUBSCRIPTIONS: SUBSCRIPTIONS_MAX,
      WS_MESSAGE_RATE: SUBSCRIPTIONS_MAX,
    });
    const [token = ''] = await mintTokens(secret, 1);
    const metrics = async () => (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text();
    const gatewayUrl = `ws://127.0.0.1:${gateway.port}`;
    const progress = (text: string) => line.show(text);
    const replay = replayCapture({ file, natsUrl: nats.url, gatewayUrl, token, metrics, progress });
    const report = await gateway.child.during(replay);
    line.end();
    process.stdout.write(`${asText(file, report)}\n`);
    return isRight(report);
  } finally {
    line.end();
    await children.endAll();
  }
}

const program = new Command('npm run captured --')
  .description('Publishes captured messages of exchanges, and checks what clients of a gateway hold.')
  .argument('<file...>', 'lines of JSON')
  .addHelpText('after', HELP)
  .parse();

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
try {
  let areRight = true;
  for (const file of program.args) areRight = (await run(file, interrupted.signal)) && areRight;
  process.exitCode = areRight ? 0 : 1;
} catch (error) {
  // What a user can act on is shown as it is; anything else is a defect, shown with its stack.
  const isExpected =
    [ChildFailure, MissingPrerequisite].some(kind => error instanceof kind) ||
    (error as { code?: string }).code === 'ENOENT';
  process.stderr.write(`${isExpected ? (error as Error).message : inspect(error)}\n`);
  process.exitCode = 1;
}
