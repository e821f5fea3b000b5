package command

import (
	"strings"
)

// resolve finds the subcommand a request means and checks the number of its
// words. cmd is what the first word has found, nil for nothing. The refusal is
// the error to answer, "" when the request is well formed.
func resolve(cmd *Command, args [][]byte) (found *Command, refusal string) {
	if cmd == nil {
		return nil, unknownCommand(args)
	}
	if cmd.Sub != nil && len(args) > 1 {
		sub := cmd.sub(args[1])
		if sub == nil {
			return nil, unknownSubcommand(cmd, args[1])
		}
		cmd = sub
	}
	if !cmd.takes(len(args)) || cmd.Run == nil {
		return cmd, "ERR wrong number of arguments for '" + cmd.full + "' command"
	}
	return cmd, ""
}

// isForgedRequest reports whether a request begins as one of HTTP does: a web
// page has made a browser send it here.
func isForgedRequest(name []byte) bool { return equalFold(name, "post") || equalFold(name, "host:") }

// forged closes the connection before the body of the HTTP request, which the
// page may have filled with commands, is run.
func (x *Executor) forged(s *Session) Outcome {
	if x.hooks.Log != nil {
		x.hooks.Log("a request of HTTP came from " + s.Link.RemoteAddr() + ", as if a web page tried to send commands; the connection is closed")
	}
	return Close
}

// shownWords is how many bytes of a request an error repeats.
const shownWords = 128

func unknownCommand(args [][]byte) string {
	var b strings.Builder
	b.WriteString("ERR unknown command '")
	b.Write(clip(args[0], shownWords))
	b.WriteString("', with args beginning with: ")
	start := b.Len()
	for _, arg := range args[1:] {
		shown := b.Len() - start
		if shown >= shownWords {
			break
		}
		b.WriteByte('\'')
		b.Write(clip(arg, shownWords-shown))
		b.WriteString("' ")
	}
	return b.String()
}

func unknownSubcommand(cmd *Command, word []byte) string {
	return "ERR unknown subcommand '" + string(clip(word, shownWords)) + "'. Try " + strings.ToUpper(cmd.Name) + " HELP."
}

// clip returns at most n bytes of b, and none from the first zero byte on,
// where a C string would end.
func clip(b []byte, n int) []byte {
	if len(b) > n {
		b = b[:n]
	}
	for i, c := range b {
		if c == 0 {
			return b[:i]
		}
	}
	return b
}

// isUnix tells the address of a Unix socket from that of a network one.
func isUnix(addr string) bool { return strings.HasPrefix(addr, "/") || strings.HasPrefix(addr, "@") }
