/**
 * The commands of clients, checked by shape only; the gateway decides what is allowed.
 *
 * The checks are written by hand because zod costs each thread that loads it 6 MB (native-notes/memory.md). The schemas
 * for documents and tests are in command-schemas.ts, and their types are the types here.
 */
import type { z } from 'zod';
import type { ErrorCode } from './codes.js';
import { type CommandId, isCommandId, NAME_LENGTH_MAX, NAMES_MAX, TOKEN_LENGTH_MAX } from './command-limits.js';
import type { commandSchemas } from './command-schemas.js';

type Schemas = typeof commandSchemas;
export type SubscribeCommand = z.infer<Schemas['subscribe']>;
export type UnsubscribeCommand = z.infer<Schemas['unsubscribe']>;
export type ResyncCommand = z.infer<Schemas['resync']>;
export type PublishCommand = z.infer<Schemas['publish']>;
export type AuthCommand = z.infer<Schemas['auth']>;
type PingCommand = z.infer<Schemas['ping']>;
export type Command =
  | SubscribeCommand
  | UnsubscribeCommand
  | ResyncCommand
  | PublishCommand
  | AuthCommand
  | PingCommand;

type CommandResult =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly id: CommandId | undefined; readonly code: ErrorCode; readonly message: string };

/** What a member must be, in words; undefined if it is valid. @param namesMax names in one list */
type Check = (value: unknown, namesMax: number) => string | undefined;

interface Member {
  readonly name: string;
  readonly check: Check;
  readonly isRequired: boolean;
}

const anything: Check = () => undefined;
const number: Check = value => (Number.isFinite(value) ? undefined : 'must be a number');
const text =
  (max: number): Check =>
  value =>
    typeof value === 'string' && value.length <= max ? undefined : `must be a string of at most ${max} characters`;
const isName = (value: unknown) => typeof value === 'string' && value.length <= NAME_LENGTH_MAX;
const name = text(NAME_LENGTH_MAX);
const names =
  (max: number): Check =>
  (value, namesMax) => {
    const most = Math.min(max, namesMax);
    // Check the length first, so that a list that is too long is not scanned.
    return Array.isArray(value) && value.length <= most && value.every(isName)
      ? undefined
      : `must be an array of at most ${most} strings of at most ${NAME_LENGTH_MAX} characters`;
  };
const id: Check = value => (isCommandId(value) ? undefined : 'must be a number or a string of at most 128 characters');
/** A client's position in a topic. */
const position: Check = value => {
  if (!isObject(value) || !isName(value.epoch) || !Number.isFinite(value.seq)) {
    return 'must be an object with an epoch (a string) and a seq (a number)';
  }
  return undefined;
};

const may = (member: string, check: Check): Member => ({ name: member, check, isRequired: false });
const must = (member: string, check: Check): Member => ({ name: member, check, isRequired: true });

const TOPICS: readonly Member[] = [
  may('id', id),
  may('stream', text(64)),
  may('symbol', name),
  may('symbols', names(NAMES_MAX)),
  may('channel', name),
  may('channels', names(1000)),
  may('room', name),
  may('rooms', names(1000)),
];
const SUBSCRIPTION: readonly Member[] = [
  ...TOPICS,
  may('class', text(64)),
  may('depth', number),
  may('since', position),
];
const MEMBERS: ReadonlyMap<string, readonly Member[]> = new Map([
  ['subscribe', SUBSCRIPTION],
  ['unsubscribe', SUBSCRIPTION],
  ['resync', TOPICS],
  ['publish', [may('id', id), must('stream', text(64)), must('room', name), must('data', anything)]],
  ['auth', [may('id', id), must('token', text(TOKEN_LENGTH_MAX))]],
  ['ping', [may('id', id)]],
]);

/**
 * Checks a decoded client message. Ignores unknown members.
 * @param namesMax most names in one list; the names of a longer list are not checked
 */
export function parseCommand(value: unknown, namesMax: number = NAMES_MAX): CommandResult {
  if (!isObject(value)) {
    return { ok: false, id: undefined, code: 'invalid_message', message: 'a command is an object' };
  }
  const echoed = isCommandId(value.id) ? value.id : undefined;
  const { action } = value;
  if (typeof action !== 'string') {
    return { ok: false, id: echoed, code: 'invalid_message', message: 'action: must be a string' };
  }
  const members = MEMBERS.get(action);
  if (members === undefined) {
    const known = [...MEMBERS.keys()].join(', ');
    return { ok: false, id: echoed, code: 'unknown_action', message: `unknown action; known: ${known}` };
  }
  const command: Record<string, unknown> = { action };
  for (const member of members) {
    const given = value[member.name];
    if (given === undefined && !member.isRequired) continue;
    const wrong = member.name in value ? member.check(given, namesMax) : 'is missing';
    if (wrong !== undefined) {
      if (Array.isArray(given) && given.length > namesMax) {
        const message = `${member.name}: at most ${namesMax} names in a command`;
        return { ok: false, id: echoed, code: 'too_many_subscriptions', message };
      }
      return { ok: false, id: echoed, code: 'invalid_message', message: `${member.name}: ${wrong}` };
    }
    command[member.name] = given;
  }
  return { ok: true, command: command as unknown as Command };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
