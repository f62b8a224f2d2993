/** Where a topic, or a client within it, stands. */
export interface StreamPosition {
  readonly epoch: string;
  /** Grows within the topic; means nothing without its epoch. */
  readonly seq: number;
}
