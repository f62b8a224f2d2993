/** A setting that cannot be used. The message names the environment variable. In a file of its own, without imports: every thread has it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
