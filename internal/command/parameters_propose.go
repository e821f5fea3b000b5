package command

import "github.com/larder-cache/larder/internal/eviction"

// Proposal is what a change of parameters would lead to.
type Proposal struct {
	Options  Options
	MaxBytes uint64
	Policy   eviction.Name
	// Live are the names of the parameters that would set something.
	Live []string
	// Idle are those without an effect, which only remember their value.
	Idle []Parameter
}

// Propose checks a change as [Parameters.Set] does, with its errors, and returns
// what it would lead to. Nothing is changed.
func (p *Parameters) Propose(changes []Parameter) (Proposal, error) {
	rows, err := p.rows(changes)
	if err != nil {
		return Proposal{}, err
	}
	d := draft{Options: *p.x.Options()}
	out := Proposal{MaxBytes: p.x.store.MaxBytes(), Policy: p.x.store.Policy()}
	for i, row := range rows {
		value, err := p.permitted(row, changes[i].Value)
		switch {
		case err != nil:
			return Proposal{}, refused(row.name, err)
		case row.fixed != "": // as it is
		case row.set == nil:
			out.Idle = append(out.Idle, Parameter{row.name, value})
		default:
			if err := row.set(&d, value); err != nil {
				return Proposal{}, refused(row.name, err)
			}
			out.Live = append(out.Live, row.name)
		}
	}
	out.Options = d.Options
	if d.maxBytes != nil {
		out.MaxBytes = *d.maxBytes
	}
	if d.policy != nil {
		out.Policy = *d.policy
	}
	return out, nil
}

// permitted returns a value as it will be shown, or why it can not be set.
func (p *Parameters) permitted(row *parameter, value string) (string, error) {
	value, err := row.normalize(value)
	if err != nil || row.fixed == "" {
		return value, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if value != p.valueLocked(row, p.x.Options()) {
		return "", refusal(row.fixed)
	}
	return value, nil
}
