/** One environment variable as it is declared, and what a table of them gives. */
import type { ValueType } from './values.js';

export interface Setting<T> {
  readonly type: ValueType<T>;
  /** Text of the default; undefined where leaving the variable unset is a value of its own. */
  readonly default: string | undefined;
  /** What being unset means, as Markdown; undefined: nothing of the kind. */
  readonly unset: string | undefined;
  /** What it does, as Markdown in one or two sentences; the first says most. */
  readonly means: string;
  /** A document of the repository that says more, with a fragment: `ops/security.md#client-certificates`. */
  readonly see: string | undefined;
}

interface Description {
  readonly means: string;
  readonly see?: string;
}

/** A table of settings by name. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** What a table's variables become. */
export type ValuesOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Settings that belong together, under the heading that documents, `--help` and `millrace check` give them. */
export interface SettingGroup<S extends Settings = Settings> {
  readonly title: string;
  /** One sentence on all of them, as Markdown. */
  readonly about: string;
  readonly settings: S;
  /** The feed that reads them; undefined: they count with every feed. */
  readonly feed?: string;
}

/** A setting with a default. @param defaultText as one would set it */
export function setting<T>(type: ValueType<T>, defaultText: string, { means, see }: Description): Setting<T> {
  return { type, default: defaultText, unset: undefined, means, see };
}

/** A setting that may be unset. */
export function optional<T>(
  type: ValueType<T>,
  { means, see, unset }: Description & { readonly unset?: string },
): Setting<T | undefined> {
  return { type: type as ValueType<T | undefined>, default: undefined, unset, means, see };
}

/** A variable's value, or what is wrong with its text. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** @param text of the environment; undefined: unset */
export function readSetting<T>(name: string, setting: Setting<T>, text: string | undefined): Read<T> {
  const given = text ?? setting.default;
  // The type of a setting without a default says that it may be undefined.
  if (given === undefined) return { ok: true, value: undefined as T };
  const parsed = setting.type.schema.safeParse(given);
  if (parsed.success) return { ok: true, value: parsed.data };
  const shown = setting.type.isSecret ? setting.type.show(given) : JSON.stringify(setting.type.show(given));
  return { ok: false, problem: `${name}=${shown}: ${parsed.error.issues[0]?.message ?? 'cannot be used'}` };
}
