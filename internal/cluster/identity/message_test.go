package identity

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/larder-cache/larder/internal/cluster"
)

func someRequest() JoinRequest {
	return JoinRequest{
		Form: joinForm, Cluster: NewClusterID(), Secret: []byte{1, 2, 3}, CSR: []byte("csr"), Incarnation: 7, Time: noon,
		Node: cluster.Node{ID: cluster.NewNodeID(), Name: "a", Zone: "z", Weight: 50, Peer: "10.0.0.2:7380", RESP: "10.0.0.2:6379", Version: "v1"},
	}
}

func TestMessagesSurviveTheWire(t *testing.T) {
	var wire bytes.Buffer
	want := someRequest()
	wantAnswer := verdict{Answer: &JoinAnswer{Cluster: want.Cluster, HashSeed: 1<<63 + 1, Coordinators: []string{"https://10.0.0.1:7381"}, SettingsRevision: 9, BecomeCoordinator: true, Member: "m2"}}
	for _, m := range []any{want, wantAnswer} {
		if err := writeMessage(&wire, m); err != nil {
			t.Fatal(err)
		}
	}
	var got JoinRequest
	var gotAnswer verdict
	r := iotest.OneByteReader(&wire)
	if err := errors.Join(readMessage(r, maxRequest, &got), readMessage(r, maxVerdict, &gotAnswer)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotAnswer, wantAnswer) {
		t.Errorf("got %+v %+v", got, gotAnswer.Answer)
	}
}

func TestBrokenMessages(t *testing.T) {
	var good bytes.Buffer
	if err := writeMessage(&good, someRequest()); err != nil {
		t.Fatal(err)
	}
	var m JoinRequest
	for n := range good.Len() {
		if err := readMessage(bytes.NewReader(good.Bytes()[:n]), maxRequest, &m); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: %v", n, good.Len(), err)
		}
	}
	for say, b := range map[string][]byte{
		"4294967295 bytes, at most 65536": {255, 255, 255, 255},
		"invalid character":               append(binary.BigEndian.AppendUint32(nil, 3), "abc"...),
		"cannot unmarshal":                append(binary.BigEndian.AppendUint32(nil, 10), `{"node":1}`...),
	} {
		if err := readMessage(bytes.NewReader(b), maxRequest, &m); !errors.Is(err, errMessage) || !strings.Contains(err.Error(), say) {
			t.Errorf("%v, want %q", err, say)
		}
	}
	// a newer release may say more
	more := []byte(`{"form":1,"new":{"x":1},"time":"2026-06-01T12:00:00Z"}`)
	if err := readMessage(bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(more))), more...)), maxRequest, &m); err != nil {
		t.Error(err)
	}
}

func FuzzReadMessage(f *testing.F) {
	var good bytes.Buffer
	if err := writeMessage(&good, someRequest()); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	good.Reset()
	if err := writeMessage(&good, verdict{Refusal: refuse(ReasonClock, "x")}); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	c := circumstances{cluster: NewClusterID(), now: noon, self: cluster.Node{Peer: "127.0.0.1:7380"}}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r JoinRequest
		if readMessage(bytes.NewReader(b), maxRequest, &r) == nil {
			_ = c.judge(&r)
			_ = c.trusted(&r)
			_ = c.hosts(&r.Node)
			_, _ = parseRequest(r.CSR)
			_, _ = CheckSecret(c.cluster, r.Secret, nil, time.Time{})
			var again bytes.Buffer
			if err := writeMessage(&again, r); err != nil {
				t.Fatal(err)
			}
		}
		var v verdict
		if readMessage(bytes.NewReader(b), maxVerdict, &v) == nil && v.Answer != nil {
			_, _ = parseCertificates(v.Answer.Certificate)
		}
	})
}
