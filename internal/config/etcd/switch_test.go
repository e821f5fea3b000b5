package etcd

import (
	"errors"
	"testing"
	"time"
)

// TestSwitch takes a member out while its node goes on, the way it is told
// beforehand and the way it finds out.
func TestSwitch(t *testing.T) {
	for _, told := range []bool{true, false} {
		members, configs := trio(t, nil)
		s := members[0].Store("/x/")
		others := ClientConfig{Endpoints: clients(configs[1], configs[2]), TLS: configs[0].TLS}
		r, err := s.Register(within(t), "alive", []byte("1"), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		registered, err := s.Get(within(t), "alive")
		if err != nil {
			t.Fatal(err)
		}
		lead, err := s.Campaign(within(t), "leader", "a", 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		changes := s.Under("under/").Watch(t.Context(), "", 1)
		if told {
			if err := s.Switch(others); err != nil {
				t.Fatal(err)
			}
		}
		if err := members[1].Store("").RemoveMember(within(t), configs[0].Name); err != nil {
			t.Fatal(err)
		}
		closed(t, "the end of the member", members[0].Done())
		if !told {
			if err := s.Switch(others); err != nil {
				t.Fatal(err)
			}
		}
		members[0].Stop()
		// The one that has gone may have been etcd's leader: a write can be too early.
		eventually(t, "a write by way of the others", func() bool {
			_, err := s.Put(within(t), "under/key", []byte("value"), IfOwner(lead))
			if err != nil && !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
			return err == nil
		})
		if c := <-changes; len(c.Events) != 1 || c.Events[0].Key != "key" {
			t.Errorf("told %v: the watch delivers %+v", told, c)
		}
		if err := r.Update(within(t), []byte("2")); err != nil {
			t.Errorf("told %v: %v", told, err)
		}
		if v, err := s.Get(within(t), "alive"); err != nil || v.Created != registered.Created || string(v.Data) != "2" {
			t.Errorf("told %v: the registration is %+v, %v", told, v, err)
		}
		s.Close()
		if s.Switch(others) == nil {
			t.Error("a closed store was switched")
		}
		for _, m := range members[1:] {
			m.Stop()
		}
	}
}
