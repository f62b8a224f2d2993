package main

import (
	"encoding/binary"
	"io"
	"math"
	"net"
	"sync"
	"time"
)

type pace struct {
	WindowUpdates int   `json:"windowUpdates"`
	BatchUpdates  int   `json:"batchUpdates"`
	Fanout        []int `json:"fanout"`
	StallMs       int   `json:"stallMs"`
}

// pacer is the closed loop of bench/pacing/pacer.ts: at most a window ahead of what the clients have received.
type pacer struct {
	pace
	publish func(update int)
	window  float64

	mu       sync.Mutex
	updates  int
	owed     int
	givenUp  int
	received int
	stopped  bool
	ended    chan struct{}
	// Has room for one: a report that finds it full is covered by the one that waits.
	reported chan struct{}
}

func newPacer(p pace, publish func(update int)) *pacer {
	total := 0
	for _, clients := range p.Fanout {
		total += clients
	}
	mean := float64(total) / float64(len(p.Fanout))
	return &pacer{
		pace: p, publish: publish, window: float64(p.WindowUpdates) * mean,
		ended: make(chan struct{}), reported: make(chan struct{}, 1),
	}
}

func (p *pacer) run() {
	defer close(p.ended)
	stall := time.Duration(p.StallMs) * time.Millisecond
	for {
		from, ok, stopped := p.next()
		if stopped {
			return
		}
		if ok {
			for update := from; update < from+p.BatchUpdates; update++ {
				p.publish(update)
			}
			continue
		}
		select {
		case <-p.reported:
		case <-time.After(stall):
			p.mu.Lock()
			if left := p.owed - p.received; left > p.givenUp {
				p.givenUp = left
			}
			p.mu.Unlock()
		}
	}
}

// next takes a batch when it fits into the window.
func (p *pacer) next() (from int, ok bool, stopped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return 0, false, true
	}
	batch := 0
	for i := 0; i < p.BatchUpdates; i++ {
		batch += p.Fanout[(p.updates+i)%len(p.Fanout)]
	}
	underWay := p.owed - p.givenUp - p.received
	if underWay > 0 && float64(underWay+batch) > p.window {
		return 0, false, false
	}
	from = p.updates
	p.updates += p.BatchUpdates
	p.owed += batch
	return from, true, false
}

// stop waits for the batch that is being published.
func (p *pacer) stop() (updates, owed, givenUp int) {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.wake()
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.updates, p.owed, p.givenUp
}

func (p *pacer) wake() {
	select {
	case p.reported <- struct{}{}:
	default:
	}
}

// listen takes the load generator's reports: a running total, one little-endian double each.
func (p *pacer) listen(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			before := 0
			var report [8]byte
			for {
				if _, err := io.ReadFull(conn, report[:]); err != nil {
					return
				}
				total := int(math.Float64frombits(binary.LittleEndian.Uint64(report[:])))
				p.mu.Lock()
				p.received += total - before
				p.mu.Unlock()
				before = total
				p.wake()
			}
		}()
	}
}
