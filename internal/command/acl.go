package command

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// categoryNames are the names of the ACL categories, by bit.
var categoryNames = []string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog",
	"geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
}

// categories returns all categories of a command: those of its row and those
// that follow from its flags.
func (c *Command) categories() Category {
	cat := c.Category
	for _, rule := range []struct {
		flag Flags
		cat  Category
	}{
		{Write, CatWrite}, {ReadOnly, CatRead}, {Admin, CatAdmin | CatDangerous},
		{PubSub, CatPubSub}, {Fast, CatFast}, {Blocking, CatBlocking},
	} {
		if c.Flags&rule.flag != 0 {
			cat |= rule.cat
		}
	}
	if cat&CatFast == 0 {
		cat |= CatSlow
	}
	return cat
}

// categoryByName returns a category by its name in any case.
func categoryByName(word []byte) (Category, bool) {
	for i, name := range categoryNames {
		if equalFold(word, name) {
			return 1 << i, true
		}
	}
	return 0, false
}

func runACLWhoami(c *Context) { c.Out.BulkString(c.Session.User) }

func runACLUsers(c *Context) {
	c.Out.Array(1)
	c.Out.BulkString(defaultUser)
}

// passwordHash returns what ACL shows of the password, "" when none is set.
func (x *Executor) passwordHash() string {
	password := x.Options().Password
	if password == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

func runACLList(c *Context) {
	password := "nopass"
	if hash := c.Exec.passwordHash(); hash != "" {
		password = "#" + hash
	}
	c.Out.Array(1)
	c.Out.BulkString("user default on " + password + " sanitize-payload ~* &* +@all")
}

func runACLGetuser(c *Context) {
	if string(c.Args[2]) != defaultUser {
		c.Out.Null()
		return
	}
	hash := c.Exec.passwordHash()
	flags := []string{"on"}
	if hash == "" {
		flags = append(flags, "nopass")
	}
	flags = append(flags, "sanitize-payload")
	c.Out.Map(6)
	c.Out.BulkString("flags")
	c.Out.Set(len(flags))
	for _, f := range flags {
		c.Out.BulkString(f)
	}
	c.Out.BulkString("passwords")
	if hash == "" {
		c.Out.Array(0)
	} else {
		c.Out.Array(1)
		c.Out.BulkString(hash)
	}
	for _, field := range [][2]string{{"commands", "+@all"}, {"keys", "~*"}, {"channels", "&*"}} {
		c.Out.BulkString(field[0])
		c.Out.BulkString(field[1])
	}
	c.Out.BulkString("selectors")
	c.Out.Array(0)
}

func runACLCat(c *Context) {
	if len(c.Args) > 3 {
		c.subcommandSyntax()
		return
	}
	if len(c.Args) == 2 {
		c.Out.Array(len(categoryNames))
		for _, name := range categoryNames {
			c.Out.BulkString(name)
		}
		return
	}
	cat, ok := categoryByName(c.Args[2])
	if !ok {
		c.Error("ERR Unknown category '" + string(clip(c.Args[2], shownWords)) + "'")
		return
	}
	var names []string
	for _, cmd := range c.Exec.table.All() {
		if cmd.categories()&cat != 0 {
			names = append(names, cmd.full)
		}
	}
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
}

// runACLGenpass returns random bits in hexadecimal, 256 unless told otherwise.
func runACLGenpass(c *Context) {
	bits := int64(256)
	if len(c.Args) > 3 {
		c.subcommandSyntax()
		return
	}
	if len(c.Args) == 3 {
		v, ok := c.Int(2)
		if !ok {
			return
		}
		if bits = v; bits <= 0 || bits > 4096 {
			c.Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
			return
		}
	}
	c.Out.BulkString(randomHex(int((bits + 3) / 4)))
}

func runACLHelp(c *Context) {
	c.help("ACL",
		"CAT [<category>]",
		"    List the categories of commands, or the commands of one.",
		"GENPASS [<bits>]",
		"    Return a random password of <bits> bits (default: 256).",
		"GETUSER <username>",
		"    Describe a user; there is one, "+strings.ToUpper(defaultUser[:1])+defaultUser[1:]+".",
		"LIST",
		"    List the rules of all users.",
		"USERS",
		"    List the names of all users.",
		"WHOAMI",
		"    Return the name of the user of this connection.")
}
