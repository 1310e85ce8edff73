// Logic run by the library that flagd evaluates with, and flagd's own operations beside it.
//
// Standard input: an object of logic by flag, then {"flag": …, "data": …} as often as wanted.
// Standard output: each one's result, or {"error": …}, in a line.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/bits"
	"os"
	"strings"

	"github.com/diegoholiveira/jsonlogic/v3"
	"golang.org/x/mod/semver"
)

// murmur3 is the x86 32-bit hash with seed 0.
func murmur3(data []byte) uint32 {
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	h := uint32(0)
	n := len(data) / 4
	for i := 0; i < n; i++ {
		k := uint32(data[4*i]) | uint32(data[4*i+1])<<8 | uint32(data[4*i+2])<<16 | uint32(data[4*i+3])<<24
		k *= c1
		k = bits.RotateLeft32(k, 15)
		k *= c2
		h ^= k
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	var k uint32
	t := data[4*n:]
	switch len(t) {
	case 3:
		k ^= uint32(t[2]) << 16
		fallthrough
	case 2:
		k ^= uint32(t[1]) << 8
		fallthrough
	case 1:
		k ^= uint32(t[0])
		k *= c1
		k = bits.RotateLeft32(k, 15)
		k *= c2
		h ^= k
	}
	h ^= uint32(len(data))
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	h ^= h >> 16
	return h
}

// fractional places a text on the sum of the weights: murmur3 times the sum, >> 32.
func fractional(values, data interface{}) interface{} {
	given, ok := values.([]interface{})
	if !ok || len(given) < 2 {
		return nil
	}
	about := data.(map[string]interface{})
	bucket, ok := given[0].(string)
	if ok {
		given = given[1:]
	} else {
		key, ok := about["targetingKey"].(string)
		if !ok {
			return nil
		}
		bucket = about["$flagd"].(map[string]interface{})["flagKey"].(string) + key
	}
	total := uint64(0)
	for _, share := range given {
		total += weight(share)
	}
	position, end := uint64(murmur3([]byte(bucket)))*total>>32, uint64(0)
	for _, share := range given {
		if end += weight(share); position < end {
			return share.([]interface{})[0]
		}
	}
	return ""
}

func weight(share interface{}) uint64 {
	return uint64(share.([]interface{})[1].(float64))
}

// onTexts takes texts alone.
func onTexts(test func(a, b string) bool) func(values, data interface{}) interface{} {
	return func(values, data interface{}) interface{} {
		p, ok := values.([]interface{})
		if !ok || len(p) != 2 {
			return nil
		}
		a, ok1 := p[0].(string)
		b, ok2 := p[1].(string)
		if !ok1 || !ok2 {
			return nil
		}
		return test(a, b)
	}
}

// semVer is flagd's operation: both sides with a "v" in front, as x/mod wants them.
func semVer(values, _ interface{}) interface{} {
	given, ok := values.([]interface{})
	if !ok || len(given) != 3 {
		return nil
	}
	one, isOne := given[0].(string)
	name, isName := given[1].(string)
	other, isOther := given[2].(string)
	one, other = "v"+strings.TrimPrefix(one, "v"), "v"+strings.TrimPrefix(other, "v")
	if !isOne || !isName || !isOther || !semver.IsValid(one) || !semver.IsValid(other) {
		return false
	}
	found := semver.Compare(one, other)
	switch name {
	case "=":
		return found == 0
	case "<":
		return found < 0
	case "<=":
		return found <= 0
	case ">":
		return found > 0
	case ">=":
		return found >= 0
	}
	return false
}

func run(logic, data []byte) (result json.RawMessage, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%v", fault)
		}
	}()
	var written bytes.Buffer
	err = jsonlogic.Apply(bytes.NewReader(logic), bytes.NewReader(data), &written)
	return json.RawMessage(written.Bytes()), err
}

func main() {
	jsonlogic.AddOperator("fractional", fractional)
	jsonlogic.AddOperator("starts_with", onTexts(strings.HasPrefix))
	jsonlogic.AddOperator("ends_with", onTexts(strings.HasSuffix))
	jsonlogic.AddOperator("sem_ver", semVer)
	decoder := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	encoder := json.NewEncoder(os.Stdout)
	var flags map[string]json.RawMessage
	if err := decoder.Decode(&flags); err != nil {
		panic(err)
	}
	for decoder.More() {
		var asked struct {
			Flag string
			Data json.RawMessage
		}
		if err := decoder.Decode(&asked); err != nil {
			panic(err)
		}
		result, err := run(flags[asked.Flag], asked.Data)
		if err != nil {
			result, _ = json.Marshal(map[string]string{"error": err.Error()})
		}
		if err := encoder.Encode(result); err != nil {
			panic(err)
		}
	}
}
