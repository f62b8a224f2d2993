import type { Dashboard } from '../dashboard.js';

export const threads: Dashboard = {
  name: 'threads',
  title: 'threads and process',
  about: 'Which thread has no time or memory left, and what the process takes from its host.',
  rows: [
    {
      title: 'Threads',
      panels: [
        {
          title: 'Load',
          about: 'Share of the time in which a thread does something. One that is full slows down all that pass it.',
          unit: 'percentunit',
          alertAt: 0.8,
          width: 12,
          queries: [['rate(millrace_thread_busy_seconds_total{@}[$__rate_interval])', '{{instance}} {{thread}}']],
        },
        {
          title: 'Delay of event loops',
          about: 'How late a thread comes to what is due.',
          unit: 's',
          width: 12,
          queries: [['millrace_thread_loop_delay_seconds{@}', '{{instance}} {{thread}}']],
        },
        {
          title: 'Heap',
          about: 'Of the heap at which the thread ends.',
          unit: 'percentunit',
          alertAt: 0.9,
          queries: [
            [
              'millrace_thread_heap_used_bytes{@} / on(job, instance, thread) millrace_thread_heap_limit_bytes',
              '{{instance}} {{thread}}',
            ],
          ],
        },
        {
          title: 'Threads replaced',
          about: 'Since the start. None in normal operation.',
          unit: 'short',
          queries: [
            ['sum(millrace_worker_restarts_total{@})', 'gateway threads'],
            ['sum(millrace_encoder_restarts_total{@})', 'encoders'],
            ['sum by (thread) (millrace_threads_hung_total{@})', 'hung: {{thread}}'],
          ],
        },
        {
          title: 'Stuck, dying and silent threads',
          about: 'All are 0 in normal operation.',
          unit: 'short',
          alertAt: 1,
          queries: [
            ['sum by (thread) (millrace_threads_stuck{@})', 'stuck: {{thread}}'],
            ['sum by (thread) (millrace_crash_loops{@})', 'keep dying: {{thread}}'],
            ['sum(millrace_thread_silent{@})', 'silent'],
          ],
        },
        {
          title: 'Gateway threads that listen',
          about: 'As many as WORKERS.',
          unit: 'short',
          queries: [['sum by (instance) (millrace_workers_listening{@})', '{{instance}}']],
        },
        {
          title: 'Work that took too long',
          about: 'For one connection, longer than THREAD_BUSY_AFTER; since the start.',
          unit: 'short',
          queries: [['sum by (outcome) (millrace_long_work_total{@})', '{{outcome}}']],
        },
        {
          title: 'Work of encoders',
          about: 'Records in a batch: the more, the busier they are.',
          unit: 'short',
          queries: [
            [
              'sum by (instance) (rate(millrace_encoder_batch_records_total{@}[$__rate_interval])) / sum by (instance) (rate(millrace_encoder_batches_total{@}[$__rate_interval]))',
              '{{instance}}',
            ],
          ],
        },
      ],
    },
    {
      title: 'Process',
      panels: [
        {
          title: 'CPU',
          about: 'In cores.',
          unit: 'short',
          queries: [
            ['rate(process_cpu_user_seconds_total{job="millrace",@}[$__rate_interval])', '{{instance}} user'],
            ['rate(process_cpu_system_seconds_total{job="millrace",@}[$__rate_interval])', '{{instance}} system'],
          ],
        },
        {
          title: 'Memory',
          about: 'Resident, for each process.',
          unit: 'bytes',
          queries: [['process_resident_memory_bytes{job="millrace",@}', '{{instance}}']],
        },
        {
          title: 'File descriptors',
          about: 'Open ones, of those allowed. Each connection is one.',
          unit: 'percentunit',
          alertAt: 0.9,
          queries: [
            [
              'process_open_fds{job="millrace",@} / on(job, instance) process_max_fds{job="millrace",@}',
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Garbage collection',
          about: 'Share of the main thread’s time.',
          unit: 'percentunit',
          queries: [
            ['sum by (kind) (rate(nodejs_gc_duration_seconds_sum{job="millrace",@}[$__rate_interval]))', '{{kind}}'],
          ],
        },
        {
          title: 'Log lines lost',
          about: 'Since the start: the disk is full, or the reader of the log stalls.',
          unit: 'short',
          queries: [['sum by (instance) (millrace_log_lines_lost_total{@})', '{{instance}}']],
        },
        {
          title: 'Versions',
          about: 'Gateways by what they run.',
          kind: 'bars',
          unit: 'short',
          queries: [
            ['count by (version, nodejs, uws) (millrace_build_info{@})', '{{version}}, Node {{nodejs}}, {{uws}}'],
          ],
        },
      ],
    },
  ],
};
