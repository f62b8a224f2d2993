/** The declaration of one environment variable, and the values that a table of them yields. */
import type { ValueType } from './values.js';

export interface Setting<T> {
  readonly type: ValueType<T>;
  /** Text of the default; undefined if unset is a value of its own. */
  readonly default: string | undefined;
  /** What unset means, as Markdown; undefined if it needs no explanation. */
  readonly unset: string | undefined;
  /** What the setting does, as Markdown in one or two sentences; the first carries the most. */
  readonly means: string;
  /** A document of the repository with details, optionally with a fragment: `ops/security.md#client-certificates`. */
  readonly see: string | undefined;
  /** True if SIGHUP reloads it; a change of any other setting needs a restart. */
  readonly isReloaded: boolean;
}

interface Description {
  readonly means: string;
  readonly see?: string;
  readonly isReloaded?: boolean;
}

/** A table of settings by name. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The values of a table's variables. */
export type ValuesOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Related settings, under the heading that documents, `--help` and `millrace check` use. */
export interface SettingGroup<S extends Settings = Settings> {
  readonly title: string;
  /** One sentence about all of them, as Markdown. */
  readonly about: string;
  readonly settings: S;
  /** The feed that reads them; undefined: every feed. */
  readonly feed?: string;
}

/** A setting with a default. @param defaultText as you would set it */
export function setting<T>(
  type: ValueType<T>,
  defaultText: string,
  { means, see, isReloaded = false }: Description,
): Setting<T> {
  return { type, default: defaultText, unset: undefined, means, see, isReloaded };
}

/** A setting that may be unset. */
export function optional<T>(
  type: ValueType<T>,
  { means, see, unset, isReloaded = false }: Description & { readonly unset?: string },
): Setting<T | undefined> {
  return { type: type as ValueType<T | undefined>, default: undefined, unset, means, see, isReloaded };
}

/** A variable's value, or why its text is invalid. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** @param text from the environment; undefined: unset */
export function readSetting<T>(name: string, setting: Setting<T>, text: string | undefined): Read<T> {
  const given = text ?? setting.default;
  // The type of a setting without a default includes undefined.
  if (given === undefined) return { ok: true, value: undefined as T };
  const parsed = setting.type.schema.safeParse(given);
  if (parsed.success) return { ok: true, value: parsed.data };
  const shown = setting.type.isSecret ? setting.type.show(given) : JSON.stringify(setting.type.show(given));
  return { ok: false, problem: `${name}=${shown}: ${parsed.error.issues[0]?.message ?? 'is not valid'}` };
}
