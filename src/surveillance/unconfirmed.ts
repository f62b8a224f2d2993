/** What is on its way to the server, until it has answered: what it refuses is sent again once it may be. */

/** Of those that are on their way, and of those that were refused; beyond, the oldest is dropped. */
const KEPT_MAX = 1_000;

export class Unconfirmed<Sent extends { readonly subject: string }> {
  #sent: Sent[] = [];
  #refused: Sent[] = [];

  add(sent: Sent): void {
    this.#sent.push(sent);
    if (this.#sent.length > KEPT_MAX) this.#sent.shift();
  }

  /** The server has answered after these: what it did not refuse, it took. */
  confirm(sent: readonly Sent[]): void {
    this.#sent = this.#sent.filter(one => !sent.includes(one));
  }

  /** What was sent on this subject is refused. */
  refuse(subject: string): void {
    this.#refused.push(...this.#sent.filter(sent => sent.subject === subject));
    this.#sent = this.#sent.filter(sent => sent.subject !== subject);
    // Each was counted when it was refused.
    this.#refused = this.#refused.slice(-KEPT_MAX);
  }

  /** The oldest refused one of each subject, to learn whether it is still refused. */
  takeTrials(): readonly Sent[] {
    const subjects = new Set(this.#refused.map(({ subject }) => subject));
    return this.#take([...subjects].map(subject => this.#refused.find(sent => sent.subject === subject)));
  }

  /** All refused ones of a subject. */
  takeRefused(subject: string): readonly Sent[] {
    return this.#take(this.#refused.filter(sent => sent.subject === subject));
  }

  #take(wanted: readonly (Sent | undefined)[]): readonly Sent[] {
    const taken = this.#refused.filter(sent => wanted.includes(sent));
    this.#refused = this.#refused.filter(sent => !taken.includes(sent));
    return taken;
  }
}
