package command

// parseSort parses the options of SORT; when they are wrong that is the reply.
// A destination is returned only when the command may have one.
func (c *Context) parseSort(stores bool) (destination []byte, ok bool) {
	for i := 2; i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch word := c.Args[i]; {
		case equalFold(word, "asc"), equalFold(word, "desc"), equalFold(word, "alpha"):
		case equalFold(word, "limit") && left >= 2:
			for range 2 {
				i++
				if _, ok := c.Int(i); !ok {
					return nil, false
				}
			}
		case stores && equalFold(word, "store") && left >= 1:
			i++
			destination = c.Args[i]
		case (equalFold(word, "by") || equalFold(word, "get")) && left >= 1:
			i++
		default:
			c.Error(errSyntax)
			return nil, false
		}
	}
	return destination, true
}

func runSort(c *Context)   { c.sort(true) }
func runSortRo(c *Context) { c.sort(false) }

// sort answers SORT. What can be sorted is a list, a set or a sorted set, so a
// key that exists is of the wrong type, and one that does not is empty.
func (c *Context) sort(stores bool) {
	destination, ok := c.parseSort(stores)
	if !ok {
		return
	}
	h := c.Lock(c.Args[1])
	_, found := c.Exists(&h)
	h.Release()
	switch {
	case found:
		c.Error(errWrongType)
	case destination == nil:
		c.Out.Array(0)
	default:
		h := c.Lock(destination)
		c.remove(&h)
		h.Release()
		c.Out.Int(0)
	}
}
