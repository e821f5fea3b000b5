package clients

import (
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
)

// cli runs redis-cli and returns what it prints.
func cli(t *testing.T, input string, args ...string) string {
	t.Helper()
	host, port := hostAndPort(t)
	cmd := command(t, "redis-cli", append([]string{"-h", host, "-p", port, "-n", "11"}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestRedisCLI(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"PING", "PONG\n"},
		{"SET cli:a one EX 100", "OK\n"},
		{"GET cli:a", "one\n"},
		{"--no-raw GET cli:none", "(nil)\n"},
		{"--no-raw -3 INCR cli:n", "(integer) 1\n"},
		{"--no-raw -3 MGET cli:a cli:none", "1) \"one\"\n2) (nil)\n"},
		{"NOSUCH", "ERR unknown command 'NOSUCH', with args beginning with: \n\n"},
		{"--scan --pattern cli:*", "cli:a\ncli:n\n"},
		{"DEL cli:a cli:n", "2\n"},
	} {
		got := cli(t, "", strings.Fields(c.args)...)
		if strings.HasPrefix(c.args, "--scan") && got == "cli:n\ncli:a\n" {
			continue // in any order
		}
		if got != c.want {
			t.Errorf("redis-cli %s: %q, want %q", c.args, got, c.want)
		}
	}
}

// TestRedisCLIPipe loads keys as people load files of commands.
func TestRedisCLIPipe(t *testing.T) {
	var input strings.Builder
	for i := range 10_000 {
		key := "pipe:" + strconv.Itoa(i)
		input.WriteString("*3\r\n$3\r\nSET\r\n$" + strconv.Itoa(len(key)) + "\r\n" + key + "\r\n$1\r\nx\r\n")
	}
	if got := cli(t, input.String(), "--pipe"); !strings.Contains(got, "errors: 0, replies: 10000") {
		t.Errorf("redis-cli --pipe: %s", got)
	}
	if got := cli(t, "", "--bigkeys", "-i", "0"); !strings.Contains(got, "Sampled 10000 keys") {
		t.Errorf("redis-cli --bigkeys: %s", got)
	}
	if got := cli(t, "", "FLUSHDB"); got != "OK\n" {
		t.Errorf("FLUSHDB: %s", got)
	}
}

func TestRedisBenchmark(t *testing.T) {
	host, port := hostAndPort(t)
	cmd := command(t, "redis-benchmark", "-h", host, "-p", port, "--dbnum", "12",
		"-t", "ping,set,get,incr,mset", "-n", "20000", "-c", "20", "-P", "8", "-r", "1000", "--csv")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rows, err := csv.NewReader(strings.NewReader(string(out))).ReadAll()
	if err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for _, row := range rows[1:] {
		if perSecond, err := strconv.ParseFloat(row[1], 64); err != nil || perSecond <= 0 {
			t.Errorf("%s: %q requests per second", row[0], row[1])
		}
	}
	if len(rows) < 7 {
		t.Errorf("only %d rows:\n%s", len(rows), out)
	}
	if got := cli(t, "", "-n", "12", "FLUSHDB"); got != "OK\n" {
		t.Errorf("FLUSHDB: %s", got)
	}
}
