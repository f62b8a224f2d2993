/** A FIX message as a line that people read: who, when, which type, and its fields by name. */

/** Tag and value, in the order of the message. */
type FixFields = readonly (readonly [tag: number, value: string])[];

const TYPES: Readonly<Record<string, string>> = {
  0: 'Heartbeat',
  1: 'TestRequest',
  2: 'ResendRequest',
  3: 'Reject',
  4: 'SequenceReset',
  5: 'Logout',
  A: 'Logon',
  B: 'News',
  V: 'MarketDataRequest',
  W: 'Snapshot',
  X: 'Incremental',
  Y: 'MarketDataRequestReject',
  j: 'BusinessReject',
};
const NAMES: Readonly<Record<number, string>> = {
  7: 'BeginSeqNo',
  16: 'EndSeqNo',
  36: 'NewSeqNo',
  43: 'PossDup',
  45: 'RefSeqNum',
  55: 'Symbol',
  58: 'Text',
  98: 'EncryptMethod',
  108: 'HeartBtInt',
  112: 'TestReqID',
  122: 'OrigSendingTime',
  123: 'GapFill',
  141: 'ResetSeqNum',
  148: 'Headline',
  262: 'MDReqID',
  263: 'SubscriptionType',
  264: 'Depth',
  265: 'UpdateType',
  269: 'EntryType',
  281: 'RejectReason',
  371: 'RefTagID',
  372: 'RefMsgType',
  373: 'RejectReason',
  379: 'RefID',
  380: 'RejectReason',
  553: 'Username',
  554: 'Password',
  789: 'NextExpectedSeqNum',
  813: 'QueueDepth',
  814: 'QueueResolution',
  20001: 'epoch',
  20002: 'prev_seq',
  20003: 'seq',
  20004: 'checksum',
};
const ENTRIES: Readonly<Record<string, string>> = {
  0: 'bid',
  1: 'offer',
  2: 'trade',
  4: 'open',
  5: 'close',
  7: 'high',
  8: 'low',
};
const ACTIONS: Readonly<Record<string, string>> = { 0: 'new', 1: 'change', 2: 'delete' };
/** Header and trailer, which the line says otherwise, and counts of groups. */
const LEFT_OUT = new Set([8, 9, 10, 33, 34, 35, 49, 52, 56, 146, 267, 268]);
/** Fields of an entry. */
const OF_ENTRY = new Set([55, 269, 270, 271, 272, 273, 278, 279, 290]);
const HIDDEN = '(hidden)';
const MSG_TYPE = 35;
const PASSWORD = 554;

/** The line of a message. A password in it is not shown. */
export function fixLine(fields: FixFields): string {
  const value = (tag: number) => fields.find(([at]) => at === tag)?.[1];
  const type = value(35) ?? '';
  const head = [
    value(52),
    `${value(49) ?? '?'}→${value(56) ?? '?'}`,
    `#${value(34) ?? '?'}`,
    TYPES[type] ?? `35=${type}`,
  ];
  const isMarketData = type === 'W' || type === 'X';
  const rest = isMarketData ? marketDataOf(fields, type === 'W' ? 269 : 279) : fields;
  const named = rest.filter(([tag]) => !LEFT_OUT.has(tag)).map(([tag, text]) => named1(tag, text));
  const entries = isMarketData ? entriesOf(fields, type === 'W' ? 269 : 279) : [];
  const shown = entries.length === 0 ? [] : [entries.join(', ')];
  return [...head, ...named, ...shown].filter(part => part !== undefined).join(' ');
}

function named1(tag: number, text: string): string {
  const value = tag === PASSWORD ? HIDDEN : text;
  return `${NAMES[tag] ?? tag}=${value.includes(' ') ? JSON.stringify(value) : value}`;
}

/** The fields that belong to no entry. */
function marketDataOf(fields: FixFields, first: number): FixFields {
  const begin = fields.findIndex(([tag]) => tag === first);
  return fields.filter(([tag], at) => begin < 0 || at < begin || !OF_ENTRY.has(tag));
}

/** `bid 99.5 x 2`, `delete offer 101 of AAPL`. */
function entriesOf(fields: FixFields, first: number): string[] {
  const entries: Map<number, string>[] = [];
  for (const [tag, value] of fields) {
    if (tag === first) entries.push(new Map());
    entries.at(-1)?.set(tag, value);
  }
  return entries.map(entry => {
    const [action, type, symbol] = [entry.get(279), entry.get(269) ?? '', entry.get(55)];
    const words = [ENTRIES[type] ?? `269=${type}`, entry.get(270)];
    if (action !== undefined) words.unshift(ACTIONS[action] ?? `279=${action}`);
    if (entry.has(271)) words.push(`x ${entry.get(271)}`);
    if (symbol !== undefined) words.push(`of ${symbol}`);
    if (entry.has(273)) words.push(`at ${entry.get(273)}`);
    return words.filter(word => word !== undefined).join(' ');
  });
}

/** Splits a message as logs show it, with SOH, `|` or `^A` between its fields. Undefined: there is none in the line. */
export function fixFieldsOf(line: string): FixFields | undefined {
  const at = line.indexOf('8=FIX');
  if (at < 0) return undefined;
  const text = line.slice(at);
  const separator = text.includes('\x01') ? '\x01' : text.includes('^A') ? '^A' : '|';
  const fields: (readonly [number, string])[] = [];
  for (const field of text.split(separator)) {
    const equals = field.indexOf('=');
    const tag = Number(field.slice(0, equals));
    if (equals <= 0 || !Number.isInteger(tag)) continue;
    fields.push([tag, field.slice(equals + 1)]);
    if (tag === 10) break;
  }
  return fields.some(([tag]) => tag === MSG_TYPE) ? fields : undefined;
}
