/** What a route of the API is: its path, who may use it, and what it accepts. */
import { z } from 'zod';
import { type Answer, failure } from './answers.js';

/** Who asks. */
export interface Caller {
  /** `admin` may change things, `operator` may read. */
  readonly role: 'admin' | 'operator';
  /** Who it is, for revocations and the log; `shown`: as LOG_USERS says. */
  readonly name: string;
  readonly shown: string;
}

interface ApiRequest<Query, Body> {
  /** The variable part of the path, decoded; '' if there is none. */
  readonly id: string;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  /** `Host` and the page that asks, for credentials that are bound to it. */
  readonly host: string;
  readonly origin: string | undefined;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/api/v1`; a trailing `/*` stands for one variable segment. */
  readonly path: string;
  /** True if `operator` may use it although it is no read. */
  readonly isForOperators: boolean;
  answer(
    query: URLSearchParams,
    body: unknown,
    rest: Omit<ApiRequest<unknown, unknown>, 'query' | 'body'>,
  ): Promise<Answer>;
}

const NOTHING = z.strictObject({});
type Nothing = z.infer<typeof NOTHING>;

interface ReadOptions<Query extends z.ZodType> {
  readonly query?: Query;
}

/** A route that changes nothing. */
export function read<Query extends z.ZodType = typeof NOTHING>(
  path: string,
  { query }: ReadOptions<Query>,
  run: (request: ApiRequest<z.infer<Query>, Nothing>) => Answer | Promise<Answer>,
): Route {
  return {
    method: 'GET',
    path,
    isForOperators: true,
    async answer(params, _body, rest) {
      const parsed = parsedQuery(params, query ?? NOTHING);
      return parsed.ok ? run({ ...rest, query: parsed.value as z.infer<Query>, body: {} }) : parsed.answer;
    },
  };
}

interface ChangeOptions<Body extends z.ZodType> {
  readonly method?: 'POST' | 'PUT' | 'DELETE';
  readonly body: Body;
  readonly isForOperators?: boolean;
}

/** A route that changes something. */
export function change<Body extends z.ZodType>(
  path: string,
  { method = 'POST', body, isForOperators = false }: ChangeOptions<Body>,
  run: (request: ApiRequest<Nothing, z.infer<Body>>) => Promise<Answer>,
): Route {
  return {
    method,
    path,
    isForOperators,
    async answer(params, value, rest) {
      const query = parsedQuery(params, NOTHING);
      if (!query.ok) return query.answer;
      const parsed = body.safeParse(value);
      if (!parsed.success) return failure('invalid', problemOf(parsed.error, 'member'));
      return run({ ...rest, query: {}, body: parsed.data });
    },
  };
}

type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly answer: Answer };

function parsedQuery(params: URLSearchParams, schema: z.ZodType): Parsed {
  const names = [...params.keys()];
  const repeated = names.find((name, at) => names.indexOf(name) !== at);
  if (repeated !== undefined) {
    return { ok: false, answer: failure('invalid', `repeated query parameter: ${quoted(repeated)}`) };
  }
  const parsed = schema.safeParse(Object.fromEntries(params));
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, answer: failure('invalid', problemOf(parsed.error, 'query parameter')) };
}

/** Names what is wrong. Our own words alone: zod may quote what it was given. */
function problemOf({ issues }: z.ZodError, kind: string): string {
  const [issue] = issues;
  if (issue?.code === 'unrecognized_keys') return `unknown ${kind}: ${issue.keys.map(quoted).join(', ')}`;
  const at = issue?.path.join('.') ?? '';
  return at === '' ? `the body: ${issue?.message ?? 'is invalid'}` : `${at}: ${issue?.message ?? 'is invalid'}`;
}

const QUOTED_LENGTH_MAX = 64;
const quoted = (name: string): string => JSON.stringify(name.slice(0, QUOTED_LENGTH_MAX));
