/** The environment that settings are read from. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The text a variable is set to; undefined if it is unset or empty. */
export function givenText(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}
