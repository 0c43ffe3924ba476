BEGIN TRANSACTION;
CREATE TABLE days (day TEXT PRIMARY KEY, reserved_isk INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "days" VALUES('2026-01-21',8000);
INSERT INTO "days" VALUES('2026-03-02',20000);
CREATE TABLE history (
        sequence INTEGER PRIMARY KEY,
        idempotency_key TEXT NOT NULL,
        at TEXT NOT NULL,
        event TEXT NOT NULL,
        detail TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    );
INSERT INTO "history" VALUES(1,'order-0008','2026-01-21T12:00:00.000000+00:00','claimed','{"amount_isk":"8000","attempt":"1","record_digest":"dcba77f62d65391d50b8c8f3508effad72e6ee7cd0b05852cb89e05d6a847dfe"}','a59bb4e604d8dd18a291137faee52b77c21eb1800809ea5a10b48635fc010e84','454dfef5dac694f5d604690d84636ea0f8a08bf202ebcbc72f0c37022811c776');
INSERT INTO "history" VALUES(2,'order-0008','2026-01-21T12:00:00.000000+00:00','sending','{"attempt":"1","record_digest":"dcba77f62d65391d50b8c8f3508effad72e6ee7cd0b05852cb89e05d6a847dfe"}','454dfef5dac694f5d604690d84636ea0f8a08bf202ebcbc72f0c37022811c776','300976d41504142e353bea3cb68201e6b3b01d7ac3e5b1f683f6593debe15632');
INSERT INTO "history" VALUES(3,'order-0008','2026-01-21T12:00:00.000000+00:00','created','{"attempt":"1","payment_id":"pay-8","record_digest":"0d30e3c870c697bda61b4f291ecd2a6a2561faba85585dd98f76a2528f0ac93e","status":"SUCCESS"}','300976d41504142e353bea3cb68201e6b3b01d7ac3e5b1f683f6593debe15632','3f35ef967f60c9faa1ee75f8c13662c1b1ea59292c0e9247e94f7a0a0b3380a2');
INSERT INTO "history" VALUES(4,'order-0008','2026-03-01T12:00:00.000000+00:00','pruned','{"attempt":"1","record_digest":"0d30e3c870c697bda61b4f291ecd2a6a2561faba85585dd98f76a2528f0ac93e"}','3f35ef967f60c9faa1ee75f8c13662c1b1ea59292c0e9247e94f7a0a0b3380a2','5a65d636d4879e2ec40782a130d136f44ec35a9e6ac355a80402443a0ba9ebc2');
INSERT INTO "history" VALUES(5,'order-0001','2026-03-02T12:00:00.000000+00:00','claimed','{"amount_isk":"1000","attempt":"1","record_digest":"6088593920c39decee0c424f90d0976130e7ae49f820322af58785420bae8aa4"}','5a65d636d4879e2ec40782a130d136f44ec35a9e6ac355a80402443a0ba9ebc2','5b03b190ed483d7a963490248c0c362e3728755b4522098bc725e2354a4e314a');
INSERT INTO "history" VALUES(6,'order-0001','2026-03-02T12:00:00.000000+00:00','sending','{"attempt":"1","record_digest":"6088593920c39decee0c424f90d0976130e7ae49f820322af58785420bae8aa4"}','5b03b190ed483d7a963490248c0c362e3728755b4522098bc725e2354a4e314a','af04540c0709e94c649e73ccc3e23c96d8d7f08f9eef0fcea05486326f29e7c2');
INSERT INTO "history" VALUES(7,'order-0001','2026-03-02T12:00:01.000000+00:00','created','{"attempt":"1","payment_id":"pay-1","record_digest":"4a2a90e3e2d602632c39299b5b9f0be6ccf3f479910c3ebf7103750235658621","status":"SCA_REQUIRED"}','af04540c0709e94c649e73ccc3e23c96d8d7f08f9eef0fcea05486326f29e7c2','4e704843ba96b4c5f0f7b44ffe592c0fda50a36a5db5e4f55376d6bf83057c3e');
INSERT INTO "history" VALUES(8,'order-0001','2026-03-02T12:01:00.000000+00:00','seen','{"attempt":"1","payment_id":"pay-1","record_digest":"56ef1d938f505accaae285b3f9b9a6050a14739f643c597b730c2f9776d737ca","status":"SUCCESS"}','4e704843ba96b4c5f0f7b44ffe592c0fda50a36a5db5e4f55376d6bf83057c3e','7c1dbb7c76d5a16dc8f10c8d025b00689490ca654550578073c3423cb5c7e41b');
INSERT INTO "history" VALUES(9,'order-0002','2026-03-02T12:00:02.000000+00:00','claimed','{"amount_isk":"2000","attempt":"1","record_digest":"fa7b8d1e7e1b3ca0f030745569960855a36d0b25df4739b14e62b475a0a6d4c6"}','7c1dbb7c76d5a16dc8f10c8d025b00689490ca654550578073c3423cb5c7e41b','213ba91c802d5ad8ad51d07e77e78916b3f4f6acbb292aa28c6c91ecb6bdf91e');
INSERT INTO "history" VALUES(10,'order-0002','2026-03-02T12:00:02.000000+00:00','sending','{"attempt":"1","record_digest":"fa7b8d1e7e1b3ca0f030745569960855a36d0b25df4739b14e62b475a0a6d4c6"}','213ba91c802d5ad8ad51d07e77e78916b3f4f6acbb292aa28c6c91ecb6bdf91e','1584a111833171ae917e7e0609121850f06014f3cb2f5362d7da7e2b92b519d4');
INSERT INTO "history" VALUES(11,'order-0002','2026-03-02T12:00:03.000000+00:00','refused','{"attempt":"1","code":"unauthorized","record_digest":"bf21549a9e6f211e00652fb4d475d7bf1385b05d8b5c7c496fb59489539dc7c9"}','1584a111833171ae917e7e0609121850f06014f3cb2f5362d7da7e2b92b519d4','5e4e4f506c713b1bb8266b745325d58406367b839a9598d222681e283695964c');
INSERT INTO "history" VALUES(12,'order-0003','2026-03-02T12:00:04.000000+00:00','claimed','{"amount_isk":"3000","attempt":"1","confirmed_duplicate_of":"pay-1","record_digest":"5494a93b0a541de50d7f99fe9fc133d628a5818c56d4fc02b07fbdcfe3d9cb00"}','5e4e4f506c713b1bb8266b745325d58406367b839a9598d222681e283695964c','9525995c9b7f1c69f048c5d1898aa4e8d9cba3d5d8799e16086b47dc88de65ab');
INSERT INTO "history" VALUES(13,'order-0003','2026-03-02T12:00:04.000000+00:00','sending','{"attempt":"1","record_digest":"5494a93b0a541de50d7f99fe9fc133d628a5818c56d4fc02b07fbdcfe3d9cb00"}','9525995c9b7f1c69f048c5d1898aa4e8d9cba3d5d8799e16086b47dc88de65ab','6e97c555aa8c0c03bbb3c4fed6fcf11ff035cbbc8d9c1509de36c457a539b9a2');
INSERT INTO "history" VALUES(14,'order-0003','2026-03-02T12:00:05.000000+00:00','unknown','{"attempt":"1","reason":"no answer","record_digest":"44bad601050de8e9a0d422a870859611ad659fcbb1344e522bc014dd77965896"}','6e97c555aa8c0c03bbb3c4fed6fcf11ff035cbbc8d9c1509de36c457a539b9a2','7f232bf3e65f4ac459e83909ce579ea3e6456a2cb01ea6fb10d3f469811931a1');
INSERT INTO "history" VALUES(15,'order-0004','2026-03-02T12:00:06.000000+00:00','claimed','{"amount_isk":"4000","attempt":"1","record_digest":"e9e8965ca70b77dba5e11aae4c4f1888ed1ba2445008d72acdfad653ca8f737d"}','7f232bf3e65f4ac459e83909ce579ea3e6456a2cb01ea6fb10d3f469811931a1','c3518540261604d35e7700cd1e55a48441b099b0c1da5bce7ce50850efb4b8d8');
INSERT INTO "history" VALUES(16,'order-0004','2026-03-02T12:00:06.000000+00:00','sending','{"attempt":"1","record_digest":"e9e8965ca70b77dba5e11aae4c4f1888ed1ba2445008d72acdfad653ca8f737d"}','c3518540261604d35e7700cd1e55a48441b099b0c1da5bce7ce50850efb4b8d8','9492d6bea36b834e3205caa3eb1bb9479c862469c7e8f845fd3c6eff099cd52f');
INSERT INTO "history" VALUES(17,'order-0004','2026-03-02T12:00:07.000000+00:00','created','{"attempt":"1","payment_id":"pay-4","record_digest":"bf988c603d84c8731397fa15e6af856042ad5d957733aa7eed888e9a7799b263","status":"DRAFT"}','9492d6bea36b834e3205caa3eb1bb9479c862469c7e8f845fd3c6eff099cd52f','766875108d903529185dc3e0ac6f8b54d3dc7347edc5a730b1dc568232192e27');
INSERT INTO "history" VALUES(18,'order-0004','2026-03-02T12:00:08.000000+00:00','unknown','{"attempt":"1","payment_id":"pay-4","reason":"stray_payment","record_digest":"3e03bc8027a7a0d4773a350d1f6b01a8d61f29ea63cad032b48cc0a710048c00"}','766875108d903529185dc3e0ac6f8b54d3dc7347edc5a730b1dc568232192e27','bacf311926927f47b4960d5018fc34de4c09e119d88685a3ea08a60eb5d9aff2');
INSERT INTO "history" VALUES(19,'order-0004','2026-03-02T12:00:08.000000+00:00','stray_answer','{"attempt":"1","of_attempt":"1","payment_id":"stray-4","record_digest":"3e03bc8027a7a0d4773a350d1f6b01a8d61f29ea63cad032b48cc0a710048c00","status":"DRAFT"}','bacf311926927f47b4960d5018fc34de4c09e119d88685a3ea08a60eb5d9aff2','b9336bdd3b10cc144aa64c09189b4dd127804faa1e9a4759defb8e6c096c1f84');
INSERT INTO "history" VALUES(20,'order-0006','2026-03-02T12:00:10.000000+00:00','claimed','{"amount_isk":"6000","attempt":"1","record_digest":"bba96faf7f598cd9d8347693af27d4a309513e42aa8e0f2828543f2dcf1e7bc7"}','b9336bdd3b10cc144aa64c09189b4dd127804faa1e9a4759defb8e6c096c1f84','5a4a1e820c17a0419824f6ef5c725f0c8369b8b03ed8e474138aef9754970ea9');
INSERT INTO "history" VALUES(21,'order-0006','2026-03-02T12:00:10.000000+00:00','sending','{"attempt":"1","record_digest":"bba96faf7f598cd9d8347693af27d4a309513e42aa8e0f2828543f2dcf1e7bc7"}','5a4a1e820c17a0419824f6ef5c725f0c8369b8b03ed8e474138aef9754970ea9','c02246b17535c50d5fb090c98771ee40684c3528b4ff6715a7d0839cfaef162e');
INSERT INTO "history" VALUES(22,'order-0006','2026-03-02T12:00:11.000000+00:00','unknown','{"attempt":"1","reason":"no answer","record_digest":"6e144161690cc836319e28cd57e42c773efeb115cc11e5db6a2dd417fe26c20f"}','c02246b17535c50d5fb090c98771ee40684c3528b4ff6715a7d0839cfaef162e','31b1a93ebbdc41ee9b00ad86248b57a02cda6205af3e0f26d3a4e8c121487622');
INSERT INTO "history" VALUES(23,'order-0006','2026-03-02T12:11:40.000000+00:00','resolved_not_created','{"attempt":"1","note":"not in the portal","record_digest":"f6217f2e1d84045d399e224f660c0b8071d9e220b6d877d9f39ce706c0d74737"}','31b1a93ebbdc41ee9b00ad86248b57a02cda6205af3e0f26d3a4e8c121487622','cb855af7d9b5dab42b95ff7238adca6bd52ca01f7b54288619442727db770128');
INSERT INTO "history" VALUES(24,'order-0007','2026-03-02T12:00:12.000000+00:00','claimed','{"amount_isk":"7000","attempt":"1","record_digest":"28cc000c639dca453fe9762cc2079ca7ca0f6f3a5e6bf9d6ec4993897ed67f6b"}','cb855af7d9b5dab42b95ff7238adca6bd52ca01f7b54288619442727db770128','c4b51046dcf1f22f33cc8bdc3dd758d2e814e0c4526f5ef780869fe6a9ac359f');
INSERT INTO "history" VALUES(25,'order-0007','2026-03-02T12:00:12.000000+00:00','sending','{"attempt":"1","record_digest":"28cc000c639dca453fe9762cc2079ca7ca0f6f3a5e6bf9d6ec4993897ed67f6b"}','c4b51046dcf1f22f33cc8bdc3dd758d2e814e0c4526f5ef780869fe6a9ac359f','86326199bed5ac4b00da50e508d433e23e7093af4baf92de79e751f1a67e7e8f');
INSERT INTO "history" VALUES(26,'order-0007','2026-03-02T12:00:13.000000+00:00','unknown','{"attempt":"1","reason":"no answer","record_digest":"05af15dd84dad09d8e1e63a479d9911aee9fa88b4076b6ec97aa214f33150faa"}','86326199bed5ac4b00da50e508d433e23e7093af4baf92de79e751f1a67e7e8f','6d0db751a403a455c7d329f2e282586b17203c3e7ff1cca2e7a5aee34bf5ce8e');
INSERT INTO "history" VALUES(27,'order-0007','2026-03-02T12:11:41.000000+00:00','resolved_created','{"attempt":"1","note":"in the portal","payment_id":"pay-7","record_digest":"5649d2543fe0edac258ce78cbf12092cf31de4206cdd94bc9f37a0d09182c465","status":"PENDING"}','6d0db751a403a455c7d329f2e282586b17203c3e7ff1cca2e7a5aee34bf5ce8e','6548d10951893f1ac903809b385183f9219e3b812e95e60853d3fb0ec5bb4472');
INSERT INTO "history" VALUES(28,'order-0005','2026-03-02T12:13:20.000000+00:00','claimed','{"amount_isk":"5000","attempt":"1","record_digest":"cd23ab6a056abb0c3bf040447c6dc1a04fb62b691b7620d826c4978b01e636bd"}','6548d10951893f1ac903809b385183f9219e3b812e95e60853d3fb0ec5bb4472','338f90d61b59541846ca2f1c4ca329ce998a9e0db03b447425704e3541ddc847');
INSERT INTO "history" VALUES(29,'order-0005','2026-03-02T12:13:20.000000+00:00','sending','{"attempt":"1","record_digest":"cd23ab6a056abb0c3bf040447c6dc1a04fb62b691b7620d826c4978b01e636bd"}','338f90d61b59541846ca2f1c4ca329ce998a9e0db03b447425704e3541ddc847','08a5b7cefe322891b850c29c99e173ebf619b9eaab7ca8f67c4c1803a4379801');
CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID
    ;
INSERT INTO "meta" VALUES('blikk','loopback');
INSERT INTO "meta" VALUES('fingerprint_key','000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
INSERT INTO "meta" VALUES('head','29:08a5b7cefe322891b850c29c99e173ebf619b9eaab7ca8f67c4c1803a4379801');
CREATE TABLE payees (
            look TEXT NOT NULL,
            account_fingerprint TEXT NOT NULL,
            spelling TEXT NOT NULL,
            PRIMARY KEY (look, account_fingerprint, spelling)
        ) WITHOUT ROWID
        ;
INSERT INTO "payees" VALUES('17897c28d9537259edcd667ac826c0f2391f791cea799095ffda84cb2a5592ec','714bae96277501992c013ea6c9dc28e52b81a76c51d5ce3e755f8025720dc01a','552085e1b8eaecef07cdb3020fb403e7f2a64b520c9252572b077c8c40cc44e1');
CREATE TABLE payments (
        number INTEGER PRIMARY KEY,
        idempotency_key TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('claimed', 'sending', 'created', 'refused', 'unknown')),
        attempt INTEGER NOT NULL CHECK (typeof(attempt) = 'integer' AND attempt > 0),
        amount_isk INTEGER NOT NULL CHECK (typeof(amount_isk) = 'integer' AND amount_isk > 0),
        account_fingerprint TEXT NOT NULL,
        ssn_fingerprint TEXT NOT NULL,
        masked_account TEXT NOT NULL,
        creditor_name TEXT NOT NULL,
        purpose TEXT NOT NULL,
        warnings TEXT NOT NULL,
        payment_id TEXT NOT NULL CHECK ((state = 'created') = (payment_id != '')),
        status TEXT NOT NULL,
        approval_url TEXT NOT NULL,
        approval_url_at TEXT NOT NULL,
        refusal_code TEXT NOT NULL,
        bank_text TEXT NOT NULL,
        claimed_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        sender TEXT NOT NULL,
        holds INTEGER NOT NULL CHECK (holds IN (0, 1)), claim_token TEXT NOT NULL DEFAULT '');
INSERT INTO "payments" VALUES(1,'order-0008','created',1,8000,'714bae96277501992c013ea6c9dc28e52b81a76c51d5ce3e755f8025720dc01a','ef1b5155b63f9f7486710f9688d7735de2b5c2fc04461f5717bd6e8a85e5b015','0159-26-•••654','','','[]','pay-8','SUCCESS','','','','','2026-01-21T12:00:00.000000+00:00','2026-01-21T12:00:00.000000+00:00','',1,'0123456789abcdef0123456789abcdef');
INSERT INTO "payments" VALUES(2,'order-0001','created',1,1000,'714bae96277501992c013ea6c9dc28e52b81a76c51d5ce3e755f8025720dc01a','ef1b5155b63f9f7486710f9688d7735de2b5c2fc04461f5717bd6e8a85e5b015','0159-26-•••654','Kaffihúsið ehf.','Kaffi','["kennitala"]','pay-1','SUCCESS','https://bank.example/approve/1','2026-03-02T12:00:01.000000+00:00','','Greitt','2026-03-02T12:00:00.000000+00:00','2026-03-02T12:01:00.000000+00:00','',1,'0123456789abcdef0123456789abcdef');
INSERT INTO "payments" VALUES(3,'order-0002','refused',1,2000,'f391436b6aa8524685bdf2a88cba9bfb953390aa5cae9edfef493c78edf28514','4683352afa6c2cf787ce01b44a5f77459302e408c88f5d5eb64823be50192bbe','0515-26-•••456','Kaffihúsið ehf.','','[]','','','','','unauthorized','Nei','2026-03-02T12:00:02.000000+00:00','2026-03-02T12:00:03.000000+00:00','',0,'0123456789abcdef0123456789abcdef');
INSERT INTO "payments" VALUES(4,'order-0003','unknown',1,3000,'714bae96277501992c013ea6c9dc28e52b81a76c51d5ce3e755f8025720dc01a','ef1b5155b63f9f7486710f9688d7735de2b5c2fc04461f5717bd6e8a85e5b015','0159-26-•••654','Kaffihúsið ehf.','','[]','','','','','','','2026-03-02T12:00:04.000000+00:00','2026-03-02T12:00:05.000000+00:00','',1,'0123456789abcdef0123456789abcdef');
INSERT INTO "payments" VALUES(5,'order-0004','unknown',1,4000,'714bae96277501992c013ea6c9dc28e52b81a76c51d5ce3e755f8025720dc01a','ef1b5155b63f9f7486710f9688d7735de2b5c2fc04461f5717bd6e8a85e5b015','0159-26-•••654','Kaffihúsið ehf.','','["stray_payment"]','','','','','','','2026-03-02T12:00:06.000000+00:00','2026-03-02T12:00:08.000000+00:00','',1,'0123456789abcdef0123456789abcdef');
INSERT INTO "payments" VALUES(6,'order-0006','refused',1,6000,'714bae96277501992c013ea6c9dc28e52b81a76c51d5ce3e755f8025720dc01a','ef1b5155b63f9f7486710f9688d7735de2b5c2fc04461f5717bd6e8a85e5b015','0159-26-•••654','Kaffihúsið ehf.','','[]','','','','','resolved_not_created','','2026-03-02T12:00:10.000000+00:00','2026-03-02T12:11:40.000000+00:00','',0,'0123456789abcdef0123456789abcdef');
INSERT INTO "payments" VALUES(7,'order-0007','created',1,7000,'714bae96277501992c013ea6c9dc28e52b81a76c51d5ce3e755f8025720dc01a','ef1b5155b63f9f7486710f9688d7735de2b5c2fc04461f5717bd6e8a85e5b015','0159-26-•••654','Kaffihúsið ehf.','','[]','pay-7','PENDING','','','','','2026-03-02T12:00:12.000000+00:00','2026-03-02T12:11:41.000000+00:00','',1,'0123456789abcdef0123456789abcdef');
INSERT INTO "payments" VALUES(8,'order-0005','sending',1,5000,'714bae96277501992c013ea6c9dc28e52b81a76c51d5ce3e755f8025720dc01a','ef1b5155b63f9f7486710f9688d7735de2b5c2fc04461f5717bd6e8a85e5b015','0159-26-•••654','Kaffihúsið ehf.','','[]','','','','','','','2026-03-02T12:13:20.000000+00:00','2026-03-02T12:13:20.000000+00:00','["somewhere","boot","pid:[1]",4242,"17"]',1,'0123456789abcdef0123456789abcdef');
CREATE UNIQUE INDEX payments_by_id ON payments (payment_id) WHERE payment_id != '';
CREATE INDEX payments_by_time ON payments (claimed_at);
CREATE INDEX payments_equal ON payments (account_fingerprint, amount_isk, claimed_at) WHERE holds = 1;
CREATE INDEX payments_unknown ON payments (account_fingerprint, amount_isk, claimed_at)
    WHERE state = 'unknown'
    ;
CREATE INDEX payments_sending ON payments (claimed_at) WHERE state = 'sending';
CREATE INDEX history_by_key ON history (idempotency_key, sequence);
CREATE TRIGGER history_is_never_changed BEFORE UPDATE ON history
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER history_is_never_deleted BEFORE DELETE ON history
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE INDEX history_by_event ON history (event) WHERE event = 'stray_answer';
CREATE INDEX payments_failed ON payments (account_fingerprint, amount_isk, updated_at) WHERE holds = 0;
COMMIT;
PRAGMA application_id=1112296267;
PRAGMA user_version=4;
