package cluster

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// The form of a view on the wire and in the configuration service:
//
//	byte    version of the form, 1
//	uvarint View.Version
//	uvarint number of nodes, then for each: uvarint length, JSON of Node
//	1024 rows, run-length encoded: uvarint count, then the row:
//	        uvarint owner+1, uvarint target+1, uvarint epoch,
//	        uvarint number of replicas, each replica times 2, plus 1 if in sync
//
// A cluster of 100 nodes takes some 45 KB, most of it for the nodes.
const viewForm = 1

// limits of what is decoded, against memory taken for nonsense
const (
	maxNodes    = 4096
	maxReplicas = 64
)

// ErrViewForm is returned for a view that a newer release has written.
var ErrViewForm = errors.New("cluster: the view has a form that this release does not know: upgrade this node")

// Encode returns the view in the form above.
func (v *View) Encode() []byte {
	b := []byte{viewForm}
	b = binary.AppendUvarint(b, v.Version)
	b = binary.AppendUvarint(b, uint64(len(v.Nodes)))
	for i := range v.Nodes {
		text, err := json.Marshal(&v.Nodes[i])
		if err != nil {
			panic("cluster: encode node: " + err.Error()) // strings and numbers only
		}
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	for p := 0; p < Partitions; {
		n := 1
		for p+n < Partitions && v.Rows[p+n].equal(&v.Rows[p]) {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		b = v.Rows[p].append(b)
		p += n
	}
	return b
}

func (r *Row) equal(o *Row) bool {
	return r.Owner == o.Owner && r.Target == o.Target && r.Epoch == o.Epoch &&
		slices.Equal(r.Replicas, o.Replicas) && slices.Equal(r.InSync, o.InSync)
}

func (r *Row) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.Owner+1))
	b = binary.AppendUvarint(b, uint64(r.Target+1))
	b = binary.AppendUvarint(b, uint64(r.Epoch))
	b = binary.AppendUvarint(b, uint64(len(r.Replicas)))
	for _, at := range r.Replicas {
		x := uint64(at) << 1
		if slices.Contains(r.InSync, at) {
			x |= 1
		}
		b = binary.AppendUvarint(b, x)
	}
	return b
}

// DecodeView reads a view. The result shares nothing with b.
func DecodeView(b []byte) (*View, error) {
	if len(b) == 0 {
		return nil, errors.New("cluster: the view is empty")
	}
	if b[0] != viewForm {
		return nil, fmt.Errorf("%w (form %d)", ErrViewForm, b[0])
	}
	d := decoder{b: b[1:]}
	v := &View{Version: d.uvarint()}
	n := d.atMost(maxNodes)
	for range n {
		var node Node
		if text := d.bytes(d.atMost(1 << 16)); d.err == nil {
			if err := json.Unmarshal(text, &node); err != nil {
				d.fail("node: " + err.Error())
			}
		}
		if len(v.Nodes) > 0 && v.Nodes[len(v.Nodes)-1].ID >= node.ID {
			d.fail("nodes out of order")
		}
		if d.err != nil {
			return nil, d.err
		}
		v.Nodes = append(v.Nodes, node)
	}
	for p := 0; p < Partitions && d.err == nil; {
		count := d.atMost(Partitions - p)
		if count == 0 {
			d.fail("a run of no rows")
		}
		row := d.row(len(v.Nodes))
		for i := range count {
			v.Rows[p+i] = row
			v.Rows[p+i].Replicas, v.Rows[p+i].InSync = slices.Clone(row.Replicas), slices.Clone(row.InSync)
		}
		p += count
	}
	if d.err == nil && len(d.b) > 0 {
		d.fail("more than a view")
	}
	if d.err != nil {
		return nil, d.err
	}
	return v, nil
}

// decoder reads a view; after the first error everything is zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = errors.New("cluster: broken view: " + what)
	}
}

func (d *decoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("it ends early")
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder) atMost(limit int) int {
	x := d.uvarint()
	if x > uint64(limit) {
		d.fail("a number out of range")
		return 0
	}
	return int(x)
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.b) {
		d.fail("it ends early")
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) row(nodes int) Row {
	r := Row{Owner: int16(d.atMost(nodes)) - 1, Target: int16(d.atMost(nodes)) - 1}
	r.Epoch = Epoch(d.uvarint())
	for range d.atMost(maxReplicas) {
		x := d.atMost(2*nodes - 1)
		at := int16(x >> 1)
		if at == r.Owner || len(r.Replicas) > 0 && r.Replicas[len(r.Replicas)-1] >= at {
			d.fail("replicas out of order")
			return r
		}
		r.Replicas = append(r.Replicas, at)
		if x&1 != 0 {
			r.InSync = append(r.InSync, at)
		}
	}
	return r
}
