/** Something that a benchmark needs is not there; the message says what to do about it. */
export class MissingPrerequisite extends Error {
  override readonly name = 'MissingPrerequisite';
}
