/** What a NATS account calls our subjects and JetStream's API. */
import type { JetStreamManager, NatsConnection } from 'nats';
import type { NatsConfig } from '../config/environment.js';
import { SubjectPrefix } from '../protocol/subject-prefix.js';
import { covers, intersection } from './subject-patterns.js';

const EVERYTHING = '>';
const JS_API_DEFAULT = '$JS.API';

export class NatsNames {
  readonly subjects: SubjectPrefix;
  readonly #api: string;

  constructor({ subjectPrefix, jsApiPrefix }: Pick<NatsConfig, 'subjectPrefix' | 'jsApiPrefix'>) {
    this.subjects = new SubjectPrefix(subjectPrefix);
    this.#api = jsApiPrefix;
  }

  /** Does not check for JetStream: every call reports its absence by itself. */
  manager(connection: NatsConnection, timeoutMs?: number): Promise<JetStreamManager> {
    const timeout = timeoutMs === undefined ? {} : { timeout: timeoutMs };
    return connection.jetstreamManager({ apiPrefix: this.#api, checkAPI: false, ...timeout });
  }

  /** `STREAM.CREATE.X` → `$JS.API.STREAM.CREATE.X` */
  apiSubject(call: string): string {
    return `${this.#api}.${call}`;
  }

  /** Where to publish an entry of a key-value bucket. Elsewhere than at `$JS.API`, JetStream expects it at its API. */
  entrySubject(subject: string): string {
    return this.#api === JS_API_DEFAULT ? subject : `${this.#api}.${subject}`;
  }

  /** Of the patterns that a server names, those of our subjects, as we call them. */
  ownPatterns(patterns: readonly string[]): string[] {
    const all = this.subjects.add(EVERYTHING);
    const common = patterns.map(pattern => intersection(pattern, all)).filter(pattern => pattern !== undefined);
    return common.map(pattern => this.subjects.remove(pattern));
  }

  /** True if none of the patterns matches a subject that is not ours. */
  areOwn(patterns: readonly string[]): boolean {
    const all = this.subjects.add(EVERYTHING);
    return patterns.every(pattern => covers(all, pattern));
  }
}
