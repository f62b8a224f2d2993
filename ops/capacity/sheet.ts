/** A capacity as a page of text, and the pages of a document. */
import { CONSTANTS, INTAKE_CORES } from './constants.js';
import type { Capacity, Resource } from './model.js';
import type { Plan } from './plan.js';

const GIB = 1024 ** 3;
const BITS = 8;

const RESOURCES: Readonly<Record<Resource, string>> = {
  cores: 'cores of a machine',
  memory: 'memory of a machine',
  network: 'network of a machine',
  connections: '--connections-per-gateway',
  threads: 'gateway threads (WORKERS is at most 32)',
};

/** Lines of a label and its figures, under a title. */
function section(title: string, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return [title, ...rows.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`)].join('\n');
}

/** `1,234,567`, `12.3`, `0.046`: three figures at least. */
function number(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** `6.42 Gbit/s` */
function bits(bytesPerSecond: number): string {
  const perSecond = bytesPerSecond * BITS;
  const [factor, unit] = perSecond >= 1e12 ? [1e12, 'T'] : perSecond >= 1e9 ? [1e9, 'G'] : [1e6, 'M'];
  return `${number(perSecond / factor)} ${unit}bit/s`;
}

const gibibytes = (bytes: number): string => `${number(bytes / GIB)} GiB`;
/** `41.2 %`, `70 %` */
const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;

function planText({ clients, symbols, rate, perClient, institutional, rateClass, ...plan }: Plan, updates: number) {
  const tls = { on: 'TLS at the gateways', off: 'no TLS', proxy: 'TLS at a balancer' }[plan.tls];
  return section('The plan', [
    ['clients', `${number(clients)}, each following ${number(perClient)} of ${number(symbols)} symbols`],
    ['classes', `realtime for ${percent(institutional)} of them, ${rateClass} for the others`],
    ['feed', `${number(rate)} updates a second and symbol, ${number(updates)} in all, ${plan.feedBytes} bytes each`],
    ['format', `${plan.format}, ${tls}, ${plan.jetstream ? 'JetStream' : 'core NATS'}`],
    ['machine', `${plan.cores} cores, ${plan.memoryGib} GiB, ${plan.nicGbit} Gbit/s, used to ${percent(plan.target)}`],
  ]);
}

/** The sheet as it is printed. */
export function sheetText(capacity: Capacity): string {
  const { plan, updates, client, gateway, gateways, machines, nats, drivers, use } = capacity;
  const total = drivers.reduce((sum, { cores }) => sum + cores, 0);
  const parts = [
    planText(plan, updates),
    section('A client, a second', [
      ['messages', number(client.messages)],
      ['writes', number(client.writes)],
      ['on the wire', `${number(client.bytes / 1000)} kB`],
      ['memory', `${number(client.memoryBytes / 1000)} kB`],
    ]),
    section('A gateway', [
      ['connections', `${number(gateway.connections)} (WS_MAX_CONNECTIONS), limited by ${RESOURCES[gateway.limit]}`],
      ['threads', `WORKERS=${gateway.workers}, and the main and encoder threads`],
      ['cores', `${number(gateway.sendCores)} to send, ${number(gateway.intakeCores)} to take in the feed`],
      ['memory', gibibytes(gateway.memoryBytes)],
      ['network', `${bits(gateway.bytesOut)} out, ${bits(gateway.bytesIn)} in from NATS`],
    ]),
    section('All', [
      ['gateways', `${number(gateways)}, ${number(capacity.gatewaysPerMachine)} on a machine`],
      ['machines', `${number(machines + plan.spare)}: ${number(machines)}, and ${number(plan.spare)} that may fail`],
      ['a machine is full by', RESOURCES[capacity.limit]],
      ['used', `cores ${percent(use.cores)}, memory ${percent(use.memory)}, network ${percent(use.network)}`],
      ['to clients', `${bits(capacity.bytesOut)}, ${number(plan.clients * client.messages)} messages a second`],
    ]),
    section('NATS', [
      ['nodes', `${number(nats.nodes)}, ${number(nats.cores)} cores in all`],
      ['in', `${number(nats.messagesIn)} messages a second, ${bits(nats.bytesIn)}`],
      ['out', `${number(nats.messagesOut)} messages a second to ${number(gateways)} gateways, ${bits(nats.bytesOut)}`],
      ['between nodes', bits(nats.routeBytes)],
    ]),
    section(
      `What costs processors: ${number(total)} cores`,
      drivers
        .filter(({ cores }) => cores > 0)
        .map(({ name, cores, share }) => [name, `${number(cores)}, ${percent(share)}`]),
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** Every figure behind the sheets, with where it was measured. */
export function constantsText(): string {
  const rows = Object.entries(CONSTANTS).map(
    ([name, { value, unit, means, from }]) => [name, `${number(value)} ${unit}`.trim(), means, from] as const,
  );
  const intake = INTAKE_CORES.map(
    ({ updates, cores, from }) =>
      ['intake', `${number(cores)} cores`, `CPU to take in ${number(updates)} updates a second`, from] as const,
  );
  const lines = [...rows, ...intake].map(cells => `| ${cells.join(' | ')} |`);
  return `| figure | value | is | measured |\n|---|---|---|---|\n${lines.join('\n')}\n`;
}

const SHEET = /(```\n\$ npm run capacity -- (--clients .*)\n)[^`]*(```)/g;
const TABLE = /(<!-- generated: constants -->\n).*?(<!-- end -->)/s;

/**
 * The document with each sheet and the table of constants as they are now.
 * @param sheetOf prints the sheet of a command line
 */
export function withSheets(document: string, sheetOf: (args: readonly string[]) => string): string {
  return document
    .replace(SHEET, (_all, head: string, args: string, end: string) => `${head}${sheetOf(args.split(' '))}${end}`)
    .replace(TABLE, (_all, begin: string, end: string) => `${begin}${constantsText()}${end}`);
}
