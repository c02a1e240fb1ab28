package dense

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// smallJSON are values that are small as texts and may be large in memory. # is another number in each.
var smallJSON = []string{"0", "-1", "1e9", "null", "true", `""`, `"a"`, `"a:#"`, `"urn:x:#"`, `"urn:epc:id:sgtin:1.2.#"`, `"https://id.gs1.org/01/#"`, `"\u00e9"`, `"\n\n\n\n"`, "[]", "{}", "[0]", "[[]]",
	"[[[[0]]]]", `{"a":0}`, `{"":{}}`, `{"a":{"b":{}}}`, `{"a:#":0}`, `{"type":"x"}`, `{"type":"x:a","value":1}`, `{"id":"a:b"}`, `{"epcClass":"a:b","quantity":1}`, `{"sensorReport":[{}]}`}

// JSON tries variants of a valid JSON text: every value in turn is a list or an object of small things, or of its own first
// part many times.
func (s *Search) JSON(what string, sample []byte, decode func([]byte)) {
	s.t.Helper()
	d := json.NewDecoder(bytes.NewReader(sample))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		s.t.Fatalf("%s: the sample is no JSON: %v", what, err)
	}
	s.Try(what, sample, decode)
	visitJSON(root, "", func(path string, value any) {
		items := smallJSON
		if text := first(value); text != "" && len(text) < 2000 {
			items = append(items[:len(items):len(items)], text)
		}
		before, after := around(root, path)
		for _, one := range items {
			for _, size := range sizes(s.t) {
				size = min(size, s.limit/len(one))
				var list, object strings.Builder
				for i := range size {
					if i > 0 {
						list.WriteByte(',')
						object.WriteByte(',')
					}
					text := strings.ReplaceAll(one, "#", strconv.Itoa(i))
					list.WriteString(text)
					object.WriteString(`"` + strconv.Itoa(i) + `":` + text)
				}
				s.Try(fmt.Sprintf("%s, at %s a list of %d %.40s", what, path, size, one), []byte(before+"["+list.String()+"]"+after), decode)
				s.Try(fmt.Sprintf("%s, at %s an object of %d %.40s", what, path, size, one), []byte(before+"{"+object.String()+"}"+after), decode)
			}
		}
	})
}

// visitJSON visits all values with their paths; of a list the first element only.
func visitJSON(v any, path string, visit func(string, any)) {
	visit(path, v)
	switch x := v.(type) {
	case []any:
		if len(x) > 0 {
			visitJSON(x[0], path+"\x000", visit)
		}
	case map[string]any:
		for name, kid := range x {
			visitJSON(kid, path+"\x00"+name, visit)
		}
	}
}

// first is the first element of a list, as a text.
func first(v any) string {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return ""
	}
	text, _ := json.Marshal(list[0])
	return string(text)
}

const hole = "\u2603hole\u2603"

// around returns the text before and after the value at a path.
func around(root any, path string) (before, after string) {
	text, _ := json.Marshal(replaced(root, strings.Split(path, "\x00")[1:]))
	before, after, _ = strings.Cut(string(text), `"`+hole+`"`)
	return before, after
}

func replaced(v any, path []string) any {
	if len(path) == 0 {
		return hole
	}
	switch x := v.(type) {
	case []any:
		out := append([]any{}, x...)
		out[0] = replaced(x[0], path[1:])
		return out
	case map[string]any:
		out := map[string]any{}
		for name, kid := range x {
			if out[name] = kid; name == path[0] {
				out[name] = replaced(kid, path[1:])
			}
		}
		return out
	}
	return v
}
