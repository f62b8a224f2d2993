/** A setting that cannot be used. The message names the environment variable. (A file without imports: every thread loads it.) */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
