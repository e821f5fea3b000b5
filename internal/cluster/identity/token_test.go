package identity

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTokenSurvivesTheText(t *testing.T) {
	id := NewClusterID()
	token, grant, err := Mint(id, Fingerprint{1, 2, 3}, Terms{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text := token.Text()
	if !strings.HasPrefix(text, "larder1.") || len(text) > 150 {
		t.Errorf("text %q", text)
	}
	got := must(ParseToken("  " + text + "\n"))(t)
	if got != token || !got.Of(id) || got.Of(NewClusterID()) {
		t.Errorf("got %+v, want %+v", got, token)
	}
	for _, shown := range []string{fmt.Sprint(token), fmt.Sprintf("%v %+v", token, &token), grant.Hash, grant.ID} {
		if strings.Contains(shown, text[50:90]) || strings.Contains(shown, fmt.Sprintf("%x", token.Secret)) {
			t.Errorf("%q shows the secret", shown)
		}
	}
}

func TestMalformedTokens(t *testing.T) {
	token, _, err := Mint(NewClusterID(), Fingerprint{}, Terms{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text := token.Text()
	mistyped := []byte(text)
	if mistyped[60] == 'A' {
		mistyped[60] = 'B'
	} else {
		mistyped[60] = 'A'
	}
	for name, c := range map[string]struct{ text, say string }{
		"empty":      {"", "does not begin with"},
		"a password": {"hunter2", "does not begin with"},
		"newer":      {"larder2.abc", "upgrade this node"},
		"cut off":    {text[:len(text)-3], "cut off or mistyped"},
		"doubled":    {text + text, "cut off or mistyped"},
		"mistyped":   {string(mistyped), "a character in it is mistyped"},
	} {
		_, err := ParseToken(c.text)
		if !errors.Is(err, ErrMalformedToken) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %q", name, err, c.say)
		}
		if len(c.text) > 20 && strings.Contains(fmt.Sprint(err), c.text[10:]) {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	id, now := NewClusterID(), time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	mint := func(terms Terms) (Token, Grant) {
		token, grant, err := Mint(id, Fingerprint{}, terms, now)
		if err != nil {
			t.Fatal(err)
		}
		return token, grant
	}
	day, dayGrant := mint(Terms{})
	ever, everGrant := mint(Terms{Life: -1})
	twice, twiceGrant := mint(Terms{Limit: 2})
	withdrawn, _ := mint(Terms{})
	other, otherGrant, err := Mint(NewClusterID(), Fingerprint{}, Terms{}, now)
	if err != nil {
		t.Fatal(err)
	}
	grants := []Grant{dayGrant, everGrant, twiceGrant, otherGrant, {Hash: ""}, {}}
	check := func(name string, token Token, at time.Time, grants []Grant, want Grant, reason Reason, say ...string) {
		t.Helper()
		got, refusal := CheckSecret(id, token.Secret[:], grants, at)
		switch {
		case reason == "" && (refusal != nil || got != want):
			t.Errorf("%s: %+v, %v", name, got, refusal)
		case reason != "" && !errors.Is(refusal, &Refusal{Reason: reason}):
			t.Errorf("%s: %v, want %s", name, refusal, reason)
		case reason != "":
			wantError(t, refusal, say...)
		}
	}
	check("good", day, now, grants, dayGrant, "")
	check("just before its end", day, now.Add(24*time.Hour-1), grants, dayGrant, "")
	check("at its end", day, now.Add(24*time.Hour), grants, Grant{}, ReasonTokenExpired, "expired at 2026-03-05T05:06:07Z", "it is 2026-03-05T05:06:07Z now", "larder cluster token")
	check("for ever", ever, now.AddDate(100, 0, 0), grants, everGrant, "")
	check("withdrawn", withdrawn, now, grants, Grant{}, ReasonTokenUnknown, "withdrawn")
	check("of another cluster", other, now, grants, Grant{}, ReasonTokenUnknown)
	check("no grants", day, now, nil, Grant{}, ReasonTokenUnknown)
	check("no secret", Token{}, now, grants, Grant{}, ReasonTokenUnknown)
	grants[2].Uses = 1
	check("once of twice", twice, now, grants, grants[2], "")
	grants[2].Uses = 2
	check("twice of twice", twice, now, grants, Grant{}, ReasonTokenUsed, "was for 2 nodes", "larder cluster token")
}

func TestMintRefusesNonsense(t *testing.T) {
	_, _, err := Mint(NewClusterID(), Fingerprint{}, Terms{Limit: -1}, time.Now())
	wantError(t, err, "-1 nodes")
	_, _, err = Mint("abc", Fingerprint{}, Terms{}, time.Now())
	wantError(t, err, "32 hexadecimal digits")
}

func FuzzParseToken(f *testing.F) {
	token, _, err := Mint(NewClusterID(), Fingerprint{9}, Terms{}, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token.Text())
	f.Add("larder1.")
	f.Add("larder")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err == nil && token.Text() != strings.TrimSpace(text) {
			t.Fatalf("%q became %q", text, token.Text())
		}
	})
}
