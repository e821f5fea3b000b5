package config

import (
	"net/url"
	"regexp"
	"strings"
)

// passwordPair is a password among the key=value pairs of a DSN, or among the
// parameters of a URL.
var passwordPair = regexp.MustCompile(`(?i)((?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'?|[^\s&]+)`)

// RedactDSN returns a DSN with its passwords replaced by xxxxx.
func RedactDSN(dsn string) string {
	if strings.Contains(dsn, "://") {
		u, err := url.Parse(dsn)
		if err != nil {
			// What cannot be understood cannot be redacted in part.
			scheme, _, _ := strings.Cut(dsn, "://")
			return scheme + "://xxxxx"
		}
		dsn = u.Redacted()
	}
	return passwordPair.ReplaceAllString(dsn, "${1}xxxxx")
}
