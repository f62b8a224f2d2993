/**
 * Says what a message is by the published document alone: compiled from the checked-in AsyncAPI JSON, not from the zod
 * schemas that it was generated from.
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

/** The parts of the document that a validator reads. */
export interface AsyncApi {
  readonly info: { readonly version: string };
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<Record<string, Operation>>;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, object>>;
  };
}
export interface Ref {
  readonly $ref: string;
}
export interface Channel {
  readonly address: string;
  readonly messages: Readonly<Record<string, Ref>>;
}
export interface Operation {
  readonly action: 'send' | 'receive';
  readonly channel: Ref;
  readonly messages: readonly Ref[];
  readonly reply?: { readonly channel: Ref; readonly messages: readonly Ref[] };
}
export interface Message {
  /** `type` or `action` on the wire, where it has one. */
  readonly name: string;
  readonly payload?: object;
  readonly headers?: object;
  readonly examples: readonly { readonly payload?: unknown; readonly headers?: unknown }[];
}

/** The message's key in the document, or why it is none of those. */
export type Verdict = { readonly message: string } | { readonly reasons: readonly string[] };

export const ASYNCAPI_FILE = new URL('../../src/protocol/asyncapi.json', import.meta.url);

export function readAsyncApi(): AsyncApi {
  return JSON.parse(readFileSync(ASYNCAPI_FILE, 'utf8')) as AsyncApi;
}

export class MessageValidator {
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #names = new Map<string, string>();

  /** @param keys messages of the document that are looked for @param part what of them is checked */
  constructor(document: AsyncApi, keys: readonly string[], part: 'payload' | 'headers' = 'payload') {
    const ajv = newAjv(document);
    for (const key of keys) {
      this.#names.set(key, document.components.messages[key]?.name ?? key);
      this.#validators.set(key, ajv.compile({ $ref: `asyncapi#/components/messages/${key}/${part}` }));
    }
  }

  get keys(): readonly string[] {
    return [...this.#validators.keys()];
  }

  /** A message that fits none, or several, is reported. */
  check(value: unknown): Verdict {
    const fitting: string[] = [];
    const reasons: string[] = [];
    for (const [key, validate] of this.#validators) {
      if (validate(value)) fitting.push(key);
      else if (this.#names.get(key) === nameOf(value)) reasons.push(`${key}: ${textOf(validate.errors)}`);
    }
    const [message] = fitting;
    if (message !== undefined && fitting.length === 1) return { message };
    if (fitting.length > 1) return { reasons: [`fits several: ${fitting.join(', ')}`] };
    return { reasons: reasons.length > 0 ? reasons : [`the document has no message ${nameOf(value)}`] };
  }
}

/** For what a gateway sends on a WebSocket. A frame of analytics is the whole array. */
export function frameValidator(document = readAsyncApi()): MessageValidator {
  return new MessageValidator(document, messagesOf(document, 'general.receive'));
}

/** For what a client sends. */
export function commandValidator(document = readAsyncApi()): MessageValidator {
  return new MessageValidator(document, messagesOf(document, 'general.send'));
}

/** Keys of the messages of an operation. */
export function messagesOf(document: AsyncApi, operation: string): string[] {
  const found = document.operations[operation];
  if (found === undefined) throw new Error(`the document has no operation ${operation}`);
  return found.messages.map(({ $ref }) => $ref.slice($ref.lastIndexOf('/') + 1));
}

/** Knows the document by the name `asyncapi`. Strict: a keyword that is misspelt throws when its schema is compiled. */
export function newAjv(document: AsyncApi): Ajv {
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictTuples: false });
  // A CommonJS module: what it exports stands in `default` of `default`, by its types.
  addFormats.default(ajv);
  // The way from the document's root to a schema leads through it: its own members are no keywords of a schema.
  ajv.addVocabulary(Object.keys(document));
  ajv.addSchema(document, 'asyncapi');
  return ajv;
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'analytics';
  const { type, action } = (value ?? {}) as { readonly type?: unknown; readonly action?: unknown };
  return String(type ?? action);
}

function textOf(errors: readonly ErrorObject[] | null | undefined): string {
  return (errors ?? [])
    .map(({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`)
    .join('; ');
}
