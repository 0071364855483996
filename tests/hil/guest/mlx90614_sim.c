// SPDX-License-Identifier: GPL-2.0
/*
 * I2C adapters, each with one MLX90614 on it, for tests of Gatepost in a guest without hardware.
 *
 * The kernel's own i2c-core and i2c-dev sit on top, so a transfer takes the way it takes on a Pi.
 * The part behaves as in Melexis' datasheet 3901090614: SMBus read and write word with a packet
 * error code (page 17 ff.), which it checks itself on writes; EEPROM cells that must be erased
 * (written 0) before they are written, and of which it refuses what page 16 forbids.
 *
 * What it measures is fed from outside, as a series of raw words that it goes through, one each
 * update_ms. In /sys/kernel/debug/mlx90614-sim.BUS/ :
 *
 *   object, ambient  u16 words in the host's order, written at once: the series of RAM 0x07, 0x06
 *   update_ms        how long each word stands
 *   eeprom           the 32 cells, u16 in the host's order
 *   error            errno that every transfer ends with, 0 for none (NACK on a Pi: 121)
 *   error_ms         how long such a transfer blocks before (a held clock: 1000 and 110)
 *   bad_pec          of 100 answers, how many have a wrong PEC, by chance
 *   stuck            0 for none, 1 where SDA is held low while SCL works, 2 where nobody drives it
 *   flag             1: the part sets its error flag (bit 15)
 *   reads, writes, refused   counters: answers, cells written, writes that the part ignored
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/i2c.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define WORDS 4096
#define RAM_AMBIENT 0x06
#define RAM_OBJECT 0x07
#define EEPROM 0x20
#define ERROR_FLAG 0x8000

static int first_bus = 3;
module_param(first_bus, int, 0444);
MODULE_PARM_DESC(first_bus, "number of the first adapter");
static int buses = 1;
module_param(buses, int, 0444);
MODULE_PARM_DESC(buses, "how many adapters, each with a part of its own");
static int address = 0x5a;
module_param(address, int, 0444);

struct series {
	u16 words[WORDS];
	size_t count;
};

struct part {
	struct i2c_adapter adapter;
	struct mutex lock;
	struct series object, ambient;
	u16 eeprom[32];
	u8 command;
	u32 update_ms, error, error_ms, bad_pec, stuck, flag, reads, writes, refused;
	struct dentry *directory;
	struct debugfs_blob_wrapper eeprom_blob;
};

static struct part *parts;

static u8 crc8(u8 crc, u8 byte)
{
	int bit;

	crc ^= byte;
	for (bit = 0; bit < 8; bit++)
		crc = crc & 0x80 ? (crc << 1) ^ 0x07 : crc << 1;
	return crc;
}

static u16 now_in(struct part *part, struct series *series)
{
	u64 updates = div_u64(ktime_get_ns(), NSEC_PER_MSEC * max(part->update_ms, 1u));
	u16 word = series->words[updates % series->count];

	return part->flag ? word | ERROR_FLAG : word;
}

static u16 word_of(struct part *part, u8 command)
{
	if (command == RAM_AMBIENT)
		return now_in(part, &part->ambient);
	if (command == RAM_OBJECT)
		return now_in(part, &part->object);
	if ((command & 0xe0) == EEPROM)
		return part->eeprom[command & 0x1f];
	return 0;
}

static void answer(struct part *part, struct i2c_msg *message)
{
	u16 word = word_of(part, part->command);
	u8 bytes[3] = { word & 0xff, word >> 8, 0 };
	u8 crc = 0;
	int i;

	crc = crc8(crc, address << 1);
	crc = crc8(crc, part->command);
	crc = crc8(crc, address << 1 | 1);
	crc = crc8(crc, bytes[0]);
	bytes[2] = crc8(crc, bytes[1]);
	if (part->bad_pec && get_random_u32() % 100 < part->bad_pec)
		bytes[get_random_u32() % 3] ^= 1 << get_random_u32() % 8;
	for (i = 0; i < message->len; i++)
		message->buf[i] = i < 3 ? bytes[i] : 0xff;
	if (part->stuck)
		memset(message->buf, part->stuck == 1 ? 0x00 : 0xff, message->len);
	part->reads++;
}

/* Returns 0 where the part takes the word; it ignores all others, and acknowledges them. */
static int write_word(struct part *part, struct i2c_msg *message)
{
	u8 crc = crc8(0, address << 1), command = message->buf[0];
	u16 word, *cell = &part->eeprom[command & 0x1f];
	int i;

	if (message->len != 4 || (command & 0xe0) != EEPROM)
		return -EINVAL;
	for (i = 0; i < 3; i++)
		crc = crc8(crc, message->buf[i]);
	if (message->buf[3] != crc)
		return -EBADMSG;
	/* Page 16: what a customer may write, the identity apart. */
	if ((command & 0x1f) > 0x05 && (command & 0x1f) != 0x0e)
		return -EPERM;
	word = message->buf[1] | message->buf[2] << 8;
	if (word && *cell)
		return -EBUSY;
	*cell = word;
	part->writes++;
	return 0;
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	struct part *part = i2c_get_adapdata(adapter);
	int i, result = count;

	if (part->error) {
		if (part->error_ms)
			msleep(part->error_ms);
		return -(int)part->error;
	}
	mutex_lock(&part->lock);
	for (i = 0; i < count && result == count; i++) {
		if (messages[i].addr != address) {
			result = -EREMOTEIO; /* what i2c-bcm2835 says where nobody acknowledges */
		} else if (messages[i].flags & I2C_M_RD) {
			answer(part, &messages[i]);
		} else if (messages[i].len) {
			part->command = messages[i].buf[0];
			if (messages[i].len > 1 && write_word(part, &messages[i]))
				part->refused++;
		}
	}
	mutex_unlock(&part->lock);
	return result;
}

static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = transfer,
	.functionality = functionality,
};

static ssize_t feed(struct file *file, const char __user *from, size_t size, loff_t *at)
{
	struct series *series = file->private_data;
	u16 *words;

	if (!size || size % sizeof(u16) || size > sizeof(series->words) || *at)
		return -EINVAL;
	words = memdup_user(from, size);
	if (IS_ERR(words))
		return PTR_ERR(words);
	memcpy(series->words, words, size);
	series->count = size / sizeof(u16);
	kfree(words);
	return size;
}

static const struct file_operations feeding = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = feed,
};

static void show(struct part *part)
{
	struct dentry *in;
	char name[32];

	snprintf(name, sizeof(name), "mlx90614-sim.%d", part->adapter.nr);
	in = part->directory = debugfs_create_dir(name, NULL);
	debugfs_create_file("object", 0200, in, &part->object, &feeding);
	debugfs_create_file("ambient", 0200, in, &part->ambient, &feeding);
	part->eeprom_blob.data = part->eeprom;
	part->eeprom_blob.size = sizeof(part->eeprom);
	debugfs_create_blob("eeprom", 0400, in, &part->eeprom_blob);
	debugfs_create_u32("update_ms", 0600, in, &part->update_ms);
	debugfs_create_u32("error", 0600, in, &part->error);
	debugfs_create_u32("error_ms", 0600, in, &part->error_ms);
	debugfs_create_u32("bad_pec", 0600, in, &part->bad_pec);
	debugfs_create_u32("stuck", 0600, in, &part->stuck);
	debugfs_create_u32("flag", 0600, in, &part->flag);
	debugfs_create_u32("reads", 0400, in, &part->reads);
	debugfs_create_u32("writes", 0400, in, &part->writes);
	debugfs_create_u32("refused", 0400, in, &part->refused);
}

static int add(struct part *part, int number)
{
	/* As delivered: 0x20 to 0x25 and 0x2E of page 16, and an identity. */
	static const u16 delivered[] = { 0x9993, 0x62e3, 0x0201, 0xf71c, 0xffff, 0x9fb4 };

	mutex_init(&part->lock);
	memcpy(part->eeprom, delivered, sizeof(delivered));
	part->eeprom[0x0e] = 0xbe00 | address;
	part->eeprom[0x1c] = 0x5a17;
	part->eeprom[0x1d] = 0x0c3b;
	part->eeprom[0x1e] = 0x71d8;
	part->eeprom[0x1f] = 0x0100 + number;
	part->object.words[0] = 15489;	/* 36.63 C */
	part->ambient.words[0] = 14858;	/* 24.01 C */
	part->object.count = part->ambient.count = 1;
	part->update_ms = 250;
	part->adapter.owner = THIS_MODULE;
	part->adapter.algo = &algorithm;
	part->adapter.nr = number;
	snprintf(part->adapter.name, sizeof(part->adapter.name), "mlx90614-sim.%d", number);
	i2c_set_adapdata(&part->adapter, part);
	return i2c_add_numbered_adapter(&part->adapter);
}

static void remove_all(int count)
{
	while (count--) {
		debugfs_remove_recursive(parts[count].directory);
		i2c_del_adapter(&parts[count].adapter);
	}
	kvfree(parts);
}

static int __init start(void)
{
	int i, failed;

	parts = kvcalloc(buses, sizeof(*parts), GFP_KERNEL);
	if (!parts)
		return -ENOMEM;
	for (i = 0; i < buses; i++) {
		failed = add(&parts[i], first_bus + i);
		if (failed) {
			remove_all(i);
			return failed;
		}
		show(&parts[i]);
	}
	return 0;
}

static void __exit stop(void)
{
	remove_all(buses);
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("I2C adapters with a simulated MLX90614 each");
