/** `npm run topology`: three nats-servers, two gateways, HAProxy, Prometheus and Alertmanager on this machine, to try things on. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { parseDurationMs } from '../../src/config/duration.js';
import { printable } from '../../src/observe/terminal-text.js';
import { shellEnvironment } from './shell-environment.js';
import { Topology } from './topology.js';

const USAGE = `npm run topology -- [options]

  --clients <n>            clients that follow everything and check it (20)
  --symbols <n>            symbols that are published (10)
  --rate <n>               messages a second that are published (200)
  --alerts-after <time>    alerts and their notifications come after at most this time, such as 10s
                           (default: the times of ops/prometheus/alerts.yml and ops/alertmanager/alertmanager.yml)
  --help

ops/topology/README.md says what it starts and what to try.`;

const COMMANDS = `commands:
  status                   what runs, and how it is
  kill <name>              end it at once, as a power failure does
  stop <name>              ask it to end; a gateway drains its clients first
  start <name>             start it again
  drain <gateway>          send its clients to the other gateway; it keeps running
  help                     this list
  quit                     say whether anything was lost, and end everything (so do Ctrl-C and the end of the input)`;

const SECRET_MODE = 0o600;

const say = (line: string): void => {
  process.stdout.write(`${new Date().toTimeString().slice(0, 8)} ${printable(line)}\n`);
};
const print = (lines: string): void => {
  process.stdout.write(`${lines}\n`);
};

function optionsOf(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: 'string', default: '20' },
      symbols: { type: 'string', default: '10' },
      rate: { type: 'string', default: '200' },
      'alerts-after': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const count = (name: 'clients' | 'symbols' | 'rate', max: number): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) throw new Error(`--${name}: 1 to ${max}`);
    return value;
  };
  const after = values['alerts-after'];
  const afterMs = after === undefined ? undefined : parseDurationMs(after);
  if (after !== undefined && afterMs === undefined) throw new Error('--alerts-after: a time such as 10s');
  return {
    help: values.help,
    clients: count('clients', 200),
    symbols: count('symbols', 100),
    rate: count('rate', 2_000),
    alertsAfterSeconds: afterMs === undefined ? undefined : Math.ceil(afterMs / 1000),
  };
}

/** Where everything is, and what a second terminal needs. */
async function welcome(topology: Topology, directory: string): Promise<void> {
  const { adminUrls, prometheusUrl, alertmanagerUrl, clientUrl } = topology.deployed;
  const environment = await shellEnvironment(topology.deployed, directory);
  const file = join(directory, 'environment');
  writeFileSync(file, environment, { mode: SECRET_MODE });
  print(
    [
      '',
      '  The topology runs. In another terminal, for the commands of ops/:',
      '',
      `    . ${file}`,
      '    millrace tail quotes:TOPO-1 --url $MILLRACE_URL',
      '',
      ...Object.entries(adminUrls).map(([name, url]) => `  ${name}     ${url}/dashboard`),
      `  Prometheus    ${prometheusUrl}/alerts`,
      `  Alertmanager  ${alertmanagerUrl}`,
      `  clients       ${clientUrl}`,
      `  logs          ${directory}/logs`,
      '',
      `  programs: ${topology.names.join(' ')}`,
      COMMANDS.replaceAll(/^/gm, '  '),
      '',
    ].join('\n'),
  );
}

/** @returns false after `quit` */
async function obey(topology: Topology, line: string): Promise<boolean> {
  const [command = '', name = '', ...rest] = line.trim().split(/\s+/);
  if (command === '') return true;
  const actions: Readonly<Record<string, () => Promise<unknown>>> = {
    kill: () => topology.kill(name),
    stop: () => topology.stop(name),
    start: () => topology.startAgain(name),
    drain: () => topology.drain(name),
    status: async () => print((await topology.status()).join('\n')),
    help: async () => print(COMMANDS),
  };
  if (command === 'quit') return false;
  const action = actions[command];
  if (action === undefined || rest.length > 0) say(`${line}: no such command; help lists them`);
  else await action().catch((error: Error) => say(`${command}: ${error.message}`));
  return true;
}

/** Obeys the lines of standard input one after another, until `quit`, the end of the input, or a signal. */
async function obeyAll(topology: Topology): Promise<void> {
  const lines = createInterface(process.stdin);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => lines.close());
  for await (const line of lines) if (!(await obey(topology, line))) break;
  // An input that stays open must not keep this process.
  process.stdin.destroy();
}

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) {
    print(USAGE);
    return 0;
  }
  const directory = mkdtempSync(join(tmpdir(), 'millrace-topology-'));
  say(`starting; everything is in ${directory}`);
  const topology = new Topology({ ...options, directory, say });
  try {
    await topology.start();
    await welcome(topology, directory);
    await obeyAll(topology);
    say('stopping the publisher; waiting for what is on its way');
    const { isGood, lines } = await topology.verdict();
    print(`\n${lines.map(line => `  ${line}`).join('\n')}\n`);
    return isGood ? 0 : 1;
  } finally {
    await topology.close();
    say(`everything has ended; the logs are in ${directory}/logs`);
  }
}

main().then(
  code => {
    process.exitCode = code;
  },
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  },
);
