package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// DefaultTokenLife is how long a token can be used when nothing else is said.
const DefaultTokenLife = 24 * time.Hour

// tokenPrefix tells people and machines what the text is, and its version.
const tokenPrefix = "larder1."

// tokenBytes: short cluster id, fingerprint, secret, CRC-32C of these.
const tokenBytes = 4 + sha256.Size + 32 + 4

// Token lets a node into a cluster. It is a secret: who has the text can join.
type Token struct {
	// Cluster has the first four bytes of the cluster's id, for messages.
	Cluster [4]byte
	// Authority is the fingerprint by which the joiner knows the cluster.
	Authority Fingerprint
	Secret    [32]byte
}

// ErrMalformedToken: a text is no token, or not all of one.
var ErrMalformedToken = errors.New("not a join token")

// Short returns the first digits of the id of the token's cluster.
func (t Token) Short() string { return hex.EncodeToString(t.Cluster[:]) }

// Of reports whether the token is for a cluster, as far as four bytes tell.
func (t Token) Of(id ClusterID) bool { return t.Short() == id.Short() }

// String hides the secret; the text that joins is [Token.Text].
func (t Token) String() string { return tokenPrefix + "(cluster " + t.Short() + ")" }

// Text returns what the operator carries to the new node.
func (t Token) Text() string {
	b := make([]byte, 0, tokenBytes)
	b = append(b, t.Cluster[:]...)
	b = append(b, t.Authority[:]...)
	b = append(b, t.Secret[:]...)
	b = binary.BigEndian.AppendUint32(b, tokenSum(b))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func tokenSum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// ParseToken reads the text of a token; spaces and ends of lines around it do
// not count. Errors wrap [ErrMalformedToken] and do not repeat the text.
func ParseToken(text string) (Token, error) {
	text = strings.TrimSpace(text)
	body, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		if rest, isNewer := strings.CutPrefix(text, "larder"); isNewer && strings.Contains(rest, ".") {
			return Token{}, fmt.Errorf("%w of this release: it begins with %q, this release knows %q: upgrade this node",
				ErrMalformedToken, text[:strings.Index(text, ".")+1], tokenPrefix)
		}
		return Token{}, fmt.Errorf("%w: it does not begin with %q: copy the whole line that `larder cluster token` prints", ErrMalformedToken, tokenPrefix)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(b) != tokenBytes {
		return Token{}, fmt.Errorf("%w: it is cut off or mistyped (%d characters, want %d): copy the whole line that `larder cluster token` prints",
			ErrMalformedToken, len(text), len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes))
	}
	sum := b[tokenBytes-4:]
	if binary.BigEndian.Uint32(sum) != tokenSum(b[:tokenBytes-4]) {
		return Token{}, fmt.Errorf("%w: a character in it is mistyped: copy the whole line that `larder cluster token` prints", ErrMalformedToken)
	}
	var t Token
	copy(t.Cluster[:], b)
	copy(t.Authority[:], b[4:])
	copy(t.Secret[:], b[4+sha256.Size:])
	return t, nil
}

// Grant is what the cluster keeps of a token: enough to know it again, too
// little to make it.
type Grant struct {
	// ID names the grant for people and as key of its storage: 16 hexadecimal
	// digits of the hash.
	ID string `json:"id"`
	// Hash is the SHA-256 of cluster id and secret, hexadecimal.
	Hash    string    `json:"hash"`
	Created time.Time `json:"created"`
	// Expires is when the token ends; zero: never.
	Expires time.Time `json:"expires,omitzero"`
	// Uses counts the nodes let in. Limit is how many may be; zero: any number.
	Uses  int `json:"uses"`
	Limit int `json:"limit,omitempty"`
	// Note is what the operator wrote to it.
	Note string `json:"note,omitempty"`
}

// Terms are what a token is good for.
type Terms struct {
	// Life is how long; zero means [DefaultTokenLife], a negative one for ever.
	Life time.Duration
	// Limit is how many nodes may join with it; zero: any number.
	Limit int
	Note  string
}

// Mint makes a token and the grant that the cluster has to store before the
// token is of any use.
func Mint(id ClusterID, authority Fingerprint, terms Terms, now time.Time) (Token, Grant, error) {
	if terms.Limit < 0 {
		return Token{}, Grant{}, fmt.Errorf("a token for %d nodes makes no sense: give 0 for any number", terms.Limit)
	}
	if _, err := ParseClusterID(string(id)); err != nil {
		return Token{}, Grant{}, err
	}
	t := Token{Authority: authority}
	if _, err := hex.Decode(t.Cluster[:], []byte(id.Short())); err != nil {
		return Token{}, Grant{}, fmt.Errorf("cluster id: %w", err)
	}
	rand.Read(t.Secret[:])
	hash := secretHash(id, t.Secret[:])
	g := Grant{
		ID: hex.EncodeToString(hash[:8]), Hash: hex.EncodeToString(hash[:]), Created: now.UTC().Truncate(time.Second),
		Limit: terms.Limit, Note: terms.Note,
	}
	if terms.Life == 0 {
		terms.Life = DefaultTokenLife
	}
	if terms.Life > 0 {
		g.Expires = g.Created.Add(terms.Life)
	}
	return t, g, nil
}

// secretHash needs no salt and no stretching: the secret has 256 random bits.
func secretHash(id ClusterID, secret []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte("larder join token\x00" + string(id) + "\x00"))
	h.Write(secret)
	return [sha256.Size]byte(h.Sum(nil))
}

// CheckSecret finds the grant of a secret. All grants are compared, in constant
// time each, so that the time taken tells nothing. The refusal is
// [ReasonTokenUnknown], [ReasonTokenExpired] or [ReasonTokenUsed], nil when the
// token is good; only the first may be of a stranger.
func CheckSecret(id ClusterID, secret []byte, grants []Grant, now time.Time) (Grant, *Refusal) {
	want := secretHash(id, secret)
	text := []byte(hex.EncodeToString(want[:]))
	found := -1
	for i := range grants {
		if subtle.ConstantTimeCompare([]byte(grants[i].Hash), text) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Grant{}, refuse(ReasonTokenUnknown, "no grant for this token: it was never made here, or it was withdrawn")
	}
	g := grants[found]
	switch {
	case !g.Expires.IsZero() && !now.Before(g.Expires):
		return g, refuse(ReasonTokenExpired, "the join token expired at %s (it is %s now): make another with `larder cluster token` on a member",
			clockText(g.Expires), clockText(now))
	case g.Limit > 0 && g.Uses >= g.Limit:
		return g, refuse(ReasonTokenUsed, "the join token was for %d nodes, which have joined: make another with `larder cluster token` on a member", g.Limit)
	}
	return g, nil
}
