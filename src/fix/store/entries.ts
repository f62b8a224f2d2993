/** Where entries of sequence numbers are kept: one text per session. */
export interface Entries {
  /** Whether several gateways share them: then one of them holds an entry at a time. */
  readonly areShared: boolean;
  /** @throws {Error} if it cannot be read */
  read(key: string): Promise<Entry | undefined>;
  /**
   * Writes an entry unless another gateway has written it since.
   * @param revision of the entry that was read; undefined: there was none
   * @returns the new revision; undefined if another gateway has written it
   * @throws {Error} if it cannot be written
   */
  write(key: string, text: string, revision: number | undefined): Promise<number | undefined>;
  /**
   * Removes an entry unless another gateway has written it since.
   * @returns false if another gateway has
   * @throws {Error} if it cannot be removed
   */
  remove(key: string, revision: number): Promise<boolean>;
  close(): Promise<void>;
}

export interface Entry {
  readonly text: string;
  readonly revision: number;
}
